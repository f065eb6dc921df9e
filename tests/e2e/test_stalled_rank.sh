#!/usr/bin/env bash
# A stopped rank hangs a collective for ever, and mpirun notices nothing: the watchdog does, and the trial is resumed from
# its last checkpoint.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
cp "$KATYDID_SOURCE/examples/digits/digits.csv" .
cat >stall.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: stall}
spec:
  objective: {type: minimize, objectiveMetricName: val_loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 1
  resources: {processes: 2, cpus: 2, oversubscribe: true}
  limits: {progressDeadline: 3s, grace: 1s}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: 0.0001, max: 0.001}}
  trialTemplate:
    trainer:
      data: {format: csv, path: digits.csv, label: label, split: {val: 0.2, seed: 1}}
      model: [{linear: {units: 256}}, {relu: {}}, {linear: {units: 256}}, {relu: {}}, {linear: {units: 10}}]
      loss: crossEntropy
      optimizer: {name: adamw, lr: "${lr}"}
      batchSize: 16
      epochs: 400
      report: {every: epoch}
YAML
katydid run stall.yaml >run.out 2>run.err </dev/null &
run=$!
some_checkpoints() {
    [ "$(sqlite3 "file:$KATYDID_DB?mode=ro" 'SELECT count(*) FROM artifacts' 2>/dev/null || echo 0)" -gt 3 ]
}
wait_until 60 "a few checkpoints are there" some_checkpoints
mapfile -t ranks < <(cookie_pids_named katydid-trainer)
[ ${#ranks[@]} = 2 ] || complain "${#ranks[@]} ranks run, not 2"
kill -STOP "${ranks[1]}"
second_attempt() {
    [ "$(sql 'SELECT count(*) FROM attempts')" = 2 ]
}
wait_until 30 "the stopped rank was found" second_attempt
expect_sql "lost" "SELECT state FROM attempts WHERE n = 1"
kill -INT "$run"
wait "$run"
# It went on where the checkpoint was, not at the start.
expect_sql "1" "SELECT count(*) FROM trials WHERE attempts = 2"
expect_sound stall
expect_nothing_left
