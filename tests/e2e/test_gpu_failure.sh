#!/usr/bin/env bash
# A GPU that fails while trials run: it is given to nobody any more, the trial that held it goes on elsewhere without being blamed,
# and replay decides the same. A stand-in plays the machines; files tell it what fails, and when.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export KATYDID_NVML=$KATYDID_BIN/../tests/libnvml_standin.so NVML_STANDIN_DIR=$work/standin
unset CUDA_VISIBLE_DEVICES KATYDID_FAKE_GPUS
mkdir standin
uuid=GPU-5748a0b1-0000-0000-0000-00000000000
cat >gpus.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: gpus}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: auto
  maxTrialCount: 3
  maxFailedTrialCount: 1
  resources: {gpus: 1, cpus: 0.25}
  limits: {maxRetries: 0, grace: 5s}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}
  trialTemplate:
    command: [sh, trial.sh, "${x}"]
YAML
cat >trial.sh <<'SH2'
echo "devices=$CUDA_VISIBLE_DEVICES attempt=$KATYDID_ATTEMPT"
until [ -e go ]; do sleep 0.05; done
echo "loss=$1"
SH2

# fail_gpu GPU XID: the driver reports it as soon as it is asked.
fail_gpu() {
    echo "$2" >standin/new
    mv standin/new "standin/xid-$1"
}

# says VALUE QUERY: does the database, if there is one?
says() {
    [ "$(sqlite3 "file:$KATYDID_DB?mode=ro" "$2" 2>/dev/null)" = "$1" ]
}

# start MACHINE NAME ARGUMENT...: in the background.
start() {
    local machine=$1 name=$2
    shift 2
    NVML_STANDIN=$machine katydid run gpus.yaml --name "$name" "$@" >run.out 2>run.err </dev/null &
    run=$!
}

ends() {
    wait $run
    local rc=$?
    [ $rc = "$1" ] || fail "exit code $rc, not $1: $(cat run.err)"
}

# One of two fails under its trial: that one waits for the other, and ends there.
start pcie held
wait_until 60 "two trials run" says 2 "SELECT count(*) FROM attempts WHERE state = 'live'"
fail_gpu 0 79
wait_until 60 "its trial is lost" says 1 "SELECT count(*) FROM attempts WHERE state = 'lost'"
touch go
ends 0
expect_in run.err "GPU 0 \(${uuid}0\) failed: Xid 79, GPU has fallen off the bus: no trial gets it any more in this run" \
    'trial [01] started again \(attempt 2\): GPU 0 .* failed: Xid 79'
expect_sql 3 "SELECT count(*) FROM trials WHERE state = 'Succeeded'"
expect_sql '0|1' "SELECT sum(user_failures), sum(infra_failures) FROM trials"
expect_sql "won|3,lost|1" "SELECT group_concat(s) FROM (SELECT state || '|' || count(*) AS s FROM attempts GROUP BY state
    ORDER BY count(*) DESC)"
expect_sql "GPU 0 (${uuid}0) failed: Xid 79, GPU has fallen off the bus" "SELECT outcome FROM attempts WHERE state = 'lost'"
expect_sql "1|79|${uuid}0" "SELECT count(*), data ->> 'xid', data ->> 'uuid' FROM events WHERE kind = 'gpu_failed'"
expect_sql 1 "SELECT count(*) FROM attempt_gpus WHERE gpu = 0"
expect_sound held
expect_exit 0 katydid show held
expect_in out "^GPU failed +GPU 0 \(${uuid}0\) failed: Xid 79, .*, at 20"
expect_exit 0 katydid show held --json
expect_in out "\"gpuFailures\":\[\{\"time\":\"20[^\"]*\",\"uuid\":\"${uuid}0\",\"xid\":79,\"drained\":\"True\""
NVML_STANDIN=pcie expect_exit 0 katydid doctor
expect_in out "^gpu +note +GPU 0 \(${uuid}0\) failed: Xid 79, .* under 'held': if nobody has mended it"

# The program dies of it before anybody has asked the driver: that is not its own failure either.
cat >dies.sh <<'SH2'
if [ "$KATYDID_ATTEMPT$KATYDID_TRIAL" = 10 ]; then
    echo "74" >standin/new && mv standin/new "standin/xid-$CUDA_VISIBLE_DEVICES"
    exit 1
fi
echo "loss=$1"
SH2
sed 's/trial.sh/dies.sh/' gpus.yaml >dies.yaml
NVML_STANDIN=station expect_exit 0 katydid run dies.yaml --name dies
expect_sql '3|0|1' "SELECT sum(t.state = 'Succeeded'), sum(user_failures), sum(infra_failures) FROM trials t
    JOIN experiments e ON e.id = t.experiment_id WHERE name = 'dies'"
expect_sound dies

# An error that is the program's own: it failed, and the GPU goes on.
sed 's/"74"/"31"/' dies.sh >faulty.sh
sed 's/trial.sh/faulty.sh/' gpus.yaml >faulty.yaml
NVML_STANDIN=single expect_exit 0 katydid run faulty.yaml --name faulty maxFailedTrialCount=3
expect_in err 'GPU 0 .* reported an error: Xid 31, GPU memory page fault.*own doing, the GPU goes on'
expect_sql '1|2|0' "SELECT sum(t.state = 'Failed'), sum(t.state = 'Succeeded'), sum(infra_failures) FROM trials t
    JOIN experiments e ON e.id = t.experiment_id WHERE name = 'faulty'"
expect_sql 0 "SELECT count(*) FROM events v JOIN experiments e ON e.id = v.experiment_id
    WHERE e.name = 'faulty' AND kind = 'gpu_failed'"

# One that the GPU outlives: what ran there runs again, on the same GPU, for there is no other.
sed 's/"74"/"94"/' dies.sh >contained.sh
sed 's/trial.sh/contained.sh/' gpus.yaml >contained.yaml
NVML_STANDIN=single expect_exit 0 katydid run contained.yaml --name contained
expect_in err 'Xid 94, contained ECC error.*what ran there is run again, the GPU goes on'
expect_sql '3|0|1' "SELECT sum(t.state = 'Succeeded'), sum(user_failures), sum(infra_failures) FROM trials t
    JOIN experiments e ON e.id = t.experiment_id WHERE name = 'contained'"
expect_sound contained

# A free GPU is lost, without any Xid: nobody gets it, nobody is disturbed.
rm go
start pcie free parallelTrialCount=1 maxTrialCount=2
wait_until 60 "a trial runs" says 1 "SELECT count(*) FROM attempts WHERE state = 'live'"
touch standin/lost-1
wait_until 60 "the loss is known" says 1 "SELECT count(*) FROM events v JOIN experiments e ON e.id = v.experiment_id
    WHERE e.name = 'free' AND kind = 'gpu_failed' AND data ->> 'text' LIKE 'GPU 1 (${uuid}1) failed: the driver says%'"
touch go
ends 0
expect_sql '2|0' "SELECT count(*), sum(gpu) FROM attempt_gpus g JOIN attempts a USING (fence) JOIN experiments e
    ON e.id = a.trial_id / 1000000000 WHERE e.name = 'free'"
expect_sound free

# Doctor and a trial that needs it say that it is lost.
NVML_STANDIN=pcie expect_exit 0 katydid doctor
expect_in out '^gpu +note +GPU 1 is lost, says the NVIDIA driver: reset it'
NVML_STANDIN=pcie expect_exit 2 katydid run gpus.yaml --name toofew resources.gpus=2
expect_in err '2 GPUs .* has 1 GPUs.*; GPU 1 is lost'
rm standin/lost-1

# None is left that a trial could use: the run ends and says what to do; the same command goes on when it was done.
rm go
start pcie both resources.gpus=2
wait_until 60 "a trial runs" says 1 "SELECT count(*) FROM attempts WHERE state = 'live'"
fail_gpu 1 48
ends 1
expect_in run.out "a trial needs 2 GPUs, and 1 of this machine's 2 are of use. GPU 1 \(${uuid}1\) failed: Xid 48, double-bit ECC.*run the same command again"
expect_sql 'ExperimentCannotRun|Pending' "SELECT substr(e.reason, 1, 19), t.state FROM trials t JOIN experiments e
    ON e.id = t.experiment_id WHERE e.name = 'both'"
touch go
NVML_STANDIN=pcie expect_exit 0 katydid run gpus.yaml --name both resources.gpus=2
expect_sql '3|0|1' "SELECT sum(t.state = 'Succeeded'), sum(user_failures), sum(infra_failures) FROM trials t
    JOIN experiments e ON e.id = t.experiment_id WHERE e.name = 'both'"
expect_sound both

# An NVSwitch tells the kernel's log alone: most errors are told and passed over, one that is fatal to all takes every GPU behind it, and
# what was there before the run counts for nothing.
rm go
export KATYDID_KMSG=$work/kmsg
switch='3,1200,99,-;nvidia-nvswitch3: SXid (PCI:0000:c4:00.0):'
echo "$switch 22003, Fatal, Link 01 Minion Halt" >kmsg
start nvswitch switched maxTrialCount=2
wait_until 60 "two trials run" says 2 "SELECT count(*) FROM attempts WHERE state = 'live'"
echo "$switch 20034, Fatal, Link 30 LTSSM Fault Up" >>kmsg
wait_until 60 "a link's error is told" grep -q 'SXid 20034' run.err
echo "$switch 12020, Fatal, Link 46 egress sequence ID error" >>kmsg
ends 1
expect_in run.err 'NVSwitch 0000:c4:00.0 reported SXid 20034, Fatal, Link 30 LTSSM Fault Up: the GPUs go on; one that it hits says so' \
    "GPU 5 \(${uuid}5\) is of no more use: NVSwitch 0000:c4:00.0 reported SXid 12020, Fatal, Link 46 egress .*: no trial gets it any more"
expect_in run.out "a trial needs 1 GPUs, and 0 of this machine's 8 are of use. GPU . .* SXid 12020, .*run the same command again"
expect_sql '8|12020' "SELECT count(*), max(data ->> 'xid') FROM events v JOIN experiments e ON e.id = v.experiment_id
    WHERE e.name = 'switched' AND kind = 'gpu_failed'"
touch go
NVML_STANDIN=nvswitch expect_exit 0 katydid run gpus.yaml --name switched maxTrialCount=2
expect_sql '2|0' "SELECT sum(t.state = 'Succeeded'), sum(user_failures) FROM trials t JOIN experiments e
    ON e.id = t.experiment_id WHERE e.name = 'switched'"
expect_sound switched
unset KATYDID_KMSG

# A warm gang of the trainer: its trial goes on from its checkpoint on another GPU. It trains for ever, so nothing depends on how
# fast it does; it is stopped when it has come further there.
if [ -x "$KATYDID_BIN/katydid-trainer" ]; then
    mv gpus.yaml commands.yaml
    sed 's/parallelTrialCount: 2/parallelTrialCount: 1/; s/epochs: 15/epochs: 1000000/; s/resources: .*/resources: {gpus: 1, cpus: 0.5}/' \
        "$KATYDID_SOURCE/examples/digits/digits.yaml" >gpus.yaml
    cp "$KATYDID_SOURCE/examples/digits/digits.csv" .
    start pcie warm trialTemplate.trainer.device=cpu
    warm="FROM events v JOIN experiments e ON e.id = v.experiment_id WHERE e.name = 'warm' AND kind"
    wait_until 60 "it has saved something" says 1 "SELECT count(*) > 2 $warm = 'saved'"
    failing=$(sql "SELECT gpu FROM attempt_gpus ORDER BY fence DESC LIMIT 1")
    fail_gpu "$failing" 95
    wait_until 60 "it saves elsewhere" says 1 "SELECT count(*) > 0 $warm = 'saved' AND data ->> 'fence' =
        (SELECT max(fence) FROM attempts WHERE n = 2)"
    kill -INT $run
    ends 130
    expect_sql 'lost,yielded' "SELECT group_concat(state) FROM (SELECT a.state FROM attempts a JOIN experiments e
        ON e.id = a.trial_id / 1000000000 WHERE e.name = 'warm' ORDER BY fence)"
    expect_sql 1 "SELECT gpu <> $failing FROM attempt_gpus ORDER BY fence DESC LIMIT 1"
    expect_sound warm
    mv commands.yaml gpus.yaml
fi

# A driver that does not come back holds up nothing but the numbers.
rm go
touch standin/hang-0
start single hangs maxTrialCount=2
wait_until 60 "a trial runs" says 1 "SELECT count(*) FROM attempts WHERE state = 'live'"
touch go
ends 0
expect_in run.err 'the NVIDIA driver has not answered for 2 s'
expect_sql '2|2|' "SELECT count(*), sum(t.state = 'Succeeded'), max(g.seconds) FROM attempt_gpus g JOIN attempts a USING (fence)
    JOIN trials t ON t.id = a.trial_id JOIN experiments e ON e.id = t.experiment_id WHERE e.name = 'hangs'"
expect_exit 0 katydid explain xid
expect_in out '^79 +what ran there is run again, the GPU gets no trial in this run +GPU has fallen off the bus' \
    '^SXid 12020 +what ran behind NVSwitches is run again, .* +egress sequence ID error' '^SXid 23001-23017 ' '^other SXids +told and passed over'
expect_nothing_left
