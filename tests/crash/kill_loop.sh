#!/usr/bin/env bash
# kill_loop.sh - kill -9 at random moments of one experiment, then everything must be there, once.
#
#   tests/crash/kill_loop.sh WHOM WHAT [N]     WHOM: coordinator | rank | mpirun; N kills, 20
#                                              WHAT: command | trainer; promotion (asha), population (pbt): the trainer
#                                              with trials that pause; copies (pbt): a command with a checkpoint
#   KATYDID_SEED=7 ...                         other random moments; the seed is printed
#
# coordinator: `katydid run` is started, killed after a random while and started again, N times; after the last time
# nobody starts it for 10 s and every process must be gone. rank, mpirun: one of a running gang is killed, N times.
# Then the experiment is allowed to end, and check_run.py, fsck and replay say whether a trial, a line of output or a
# metric was lost or counted twice.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
set -uo pipefail
whom=${1:-coordinator} what=${2:-command} kills=${3:-20}
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"

RANDOM=${KATYDID_SEED:-$$}
echo "kill -9 of the $whom, $kills times, trials are a $what; seed ${KATYDID_SEED:-$$}"

processes=1
[ "$whom" = coordinator ] || processes=2

write_spec() {
    cat >loop.yaml <<YAML
apiVersion: katydid/v1
kind: Experiment
metadata: {name: loop}
spec:
  objective: {type: minimize, objectiveMetricName: $1}
  algorithm: {algorithmName: random}
  parallelTrialCount: $((3 - processes))
  maxTrialCount: 100000
  maxFailedTrialCount: 0
  resources: {processes: $processes, cpus: $processes, oversubscribe: true}
  limits: {maxRetries: 1000}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0.001, max: 0.01, distribution: logUniform}}
  trialTemplate:
YAML
}

# 20 lines of a known curve that ends at x; about 0.3 s.
write_command() {
    write_spec loss
    echo '    command: [sh, curve.sh, "${x}"]' >>loop.yaml
    cat >curve.sh <<'SH'
i=0
while [ $i -lt 20 ]; do
    i=$((i + 1))
    if [ $i = 20 ]; then loss=$1; else loss=$((21 - i)).5; fi
    echo "step=$i loss=$loss"
    sleep 0.01
done
SH
}

write_trainer() {
    [ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
    write_spec val_loss
    head -400 "$KATYDID_SOURCE/examples/digits/digits.csv" >digits.csv
    cat >>loop.yaml <<YAML
    trainer:
      data: {format: csv, path: digits.csv, label: label, split: {val: 0.2, seed: 1}}
      model: [{linear: {units: 32}}, {relu: {}}, {linear: {units: 10}}]
      loss: crossEntropy
      optimizer: {name: adamw, lr: "\${x}"}
      batchSize: 32
      epochs: ${1:-20}
      report: {every: epoch}
YAML
}

write_promotion() {
    write_trainer 9
    sed -i 's/^  algorithm:.*/  algorithm: {algorithmName: asha}\n  fidelity: {max: 9}/' loop.yaml
}

# Without a fidelity.max the generations go on for ever.
breed() {
    sed -i 's/^  algorithm:.*/  algorithm:\n    algorithmName: pbt\n    algorithmSettings: [{name: n_population, value: 4}, {name: interval, value: 3}, {name: truncation_threshold, value: 0.5}]/' loop.yaml
}

write_population() {
    write_trainer 1000000
    breed
}

# What it has saved is how far it came, so a clone that was not given its parent's checkpoint starts at 1, and shows.
write_copies() {
    write_spec loss
    breed
    cat >>loop.yaml <<'YAML'
    command: [sh, count.sh, "${x}"]
    checkpoint: {dir: "${trialDir}/checkpoint", resumable: true}
YAML
    cat >count.sh <<'SH'
f=$KATYDID_CHECKPOINT_DIR/step
i=0
[ -e "$f" ] && i=$(cat "$f")
while [ "$i" -lt "$KATYDID_BUDGET" ]; do
    if [ "${RANK:-0}" != 0 ]; then # it trains nothing, and waits for the one that does
        sleep 0.01
        i=$(cat "$f" 2>/dev/null || echo 0)
        continue
    fi
    i=$((i + 1))
    echo "step=$i loss=$1"
    echo "$i" >"$f.new"
    mv "$f.new" "$f"
    sleep 0.01
done
SH
}

start_run() {
    katydid run loop.yaml >>run.out 2>>run.err </dev/null &
    run=$!
}

# Up to about a second, so that kills fall into the start, the trials and what lies between.
random_pause() {
    sleep "0.$(printf '%03d' $((RANDOM % 1000)))"
}

kill_run() {
    kill -9 $run 2>/dev/null || complain "the coordinator ended by itself: $(tail -n 5 run.err)"
    wait $run 2>/dev/null
}

a_gang_runs() {
    [ "$(cookie_pids | wc -l)" -gt 1 ]
}

kill_coordinators() {
    local i
    for ((i = 1; i < kills; i++)); do
        start_run
        random_pause
        kill_run
    done
    start_run
    wait_until 30 "a gang runs" a_gang_runs
    kill_run
    expect_no_process_left
}

some_victim() {
    mapfile -t found < <(cookie_pids_named "$victim")
    [ ${#found[@]} -gt 0 ]
}

# A victim may end by itself between being found and being killed; then another one is looked for.
kill_one() {
    until wait_until 30 "a process named $victim runs" some_victim &&
        kill -9 "${found[RANDOM % ${#found[@]}]}" 2>/dev/null; do
        :
    done
}

n_done() {
    sql "SELECT count(*) FROM attempts WHERE state IN ('won', 'yielded')"
}

more_done_than() {
    [ "$(n_done)" -gt "$1" ]
}

kill_members() {
    local i
    case $whom-$what in
    rank-command | rank-copies) victim="sh" ;;
    rank-*) victim="katydid-trainer" ;;
    *) victim="mpirun" ;;
    esac
    start_run
    for ((i = 1; i <= kills; i++)); do
        random_pause
        kill_one
        # Twice in a row may hit one trial, four times would use up what it has for failures that are not its own.
        [ $((i % 2)) = 1 ] || wait_until 30 "another trial is done or paused" more_done_than "$(n_done)"
        kill -0 $run 2>/dev/null || complain "the coordinator ended: $(tail -n 5 run.err)"
    done
    kill_run
}

finish_experiment() {
    local n
    n=$(sql "SELECT count(*) + 6 FROM trials" 2>/dev/null) || n=6
    KATYDID_TEST_DEADLINE=200 expect_exit 0 katydid run loop.yaml maxTrialCount="$n"
    expect_exit 0 python3 "$KATYDID_SOURCE/tests/crash/check_run.py" "$KATYDID_DB" "$n" "$what"
    cat out
}

"write_$what"
if [ "$whom" = coordinator ]; then
    kill_coordinators
else
    kill_members
fi
finish_experiment
expect_sound loop
expect_nothing_left
echo "nothing lost, nothing counted twice, nothing left behind"
