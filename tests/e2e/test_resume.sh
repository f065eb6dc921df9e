#!/usr/bin/env bash
# Stopping and going on: Ctrl-C drains, a second one stops at once, the same command goes on, a larger budget is no other
# experiment, another spec under the same name is refused with what changed, and a live owner is named.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat >s.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: resume}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: tpe}
  parallelTrialCount: 1
  maxTrialCount: 3
  limits: {grace: 5s}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}
  trialTemplate:
    command: [sh, slow.sh, "${x}"]
YAML
# Slow until the file `fast` is there.
cat >slow.sh <<'SH'
echo "epoch=1 loss=$1"
while [ ! -e fast ]; do sleep 0.05; done
echo "epoch=2 loss=$1"
SH

start_run() {
    katydid run s.yaml >run.out 2>run.err </dev/null &
    run=$!
    wait_until 20 "a trial runs" running_trial
}

running_trial() {
    [ "$(sqlite3 "file:$KATYDID_DB?mode=ro" "SELECT count(*) FROM metrics m JOIN attempts a USING (fence)
        WHERE a.state = 'live'" 2>/dev/null)" = 1 ]
}

expect_end() {
    wait "$run"
    rc=$?
    [ "$rc" = "$1" ] || complain "exit code $rc, expected $1: $(cat run.err)"
}

# The owner is alive: a second run exits 7 and says who it is.
start_run
expect_exit 7 katydid run s.yaml
expect_in err "pid $run"

kill -INT "$run"
expect_end 130
expect_in run.err 'stopping: waiting for' 'goes on'
expect_sql "Pending" "SELECT state FROM trials"
expect_sql "yielded" "SELECT state FROM attempts"
expect_nothing_left

# Twice: at once, although the program would have its grace.
sed -i 's/^echo "epoch=1/trap "" TERM; &/' slow.sh
start_run
kill -INT "$run"
wait_until 5 "the first Ctrl-C was heard" grep -q stopping run.err
kill -INT "$run"
expect_end 130
expect_no_process_left

touch fast
expect_exit 0 katydid run s.yaml
expect_in err 'goes on'
expect_sql "3|3" "SELECT count(*), sum(state = 'Succeeded') FROM trials"
expect_sql "3" "SELECT attempts FROM trials WHERE number = 0"

# A larger budget is the same experiment, another range is not.
expect_exit 0 katydid run s.yaml maxTrialCount=4
expect_sql "4" "SELECT count(*) FROM trials"
expect_exit 7 katydid run s.yaml parameters.x.max=2
expect_in err 'parameters.x' '--name'
expect_exit 0 katydid run s.yaml parameters.x.max=2 --name other
expect_sql "2" "SELECT count(*) FROM experiments"
expect_sound resume
expect_sound other
expect_nothing_left

# A database that was deleted leaves its folder; nothing in it counts for a new one.
rm "$KATYDID_DB"*.lock "$KATYDID_DB" "$KATYDID_DB"-* 2>/dev/null
[ -d "$KATYDID_DB.d" ] || complain "no folder $KATYDID_DB.d"
expect_exit 0 katydid run s.yaml
expect_sql "6" "SELECT count(*) FROM metrics"

# Nobody reads what is printed: the experiment goes on.
katydid run s.yaml --name unread 2>&1 </dev/null | true
unread_is_over() {
    [ "$(sql "SELECT state FROM experiments WHERE name = 'unread'")" = Succeeded ]
}
wait_until 20 "the unread experiment is over" unread_is_over
expect_nothing_left
