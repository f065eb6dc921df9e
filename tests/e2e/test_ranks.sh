#!/usr/bin/env bash
# The same training with 1, 2 and 3 ranks ends within half a point of accuracy; the ranks of a gang that waits burn no core.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
cp "$KATYDID_SOURCE/examples/digits/digits.csv" .
cat >ranks.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: ranks}
spec:
  objective: {type: maximize, objectiveMetricName: val_accuracy}
  algorithm: {algorithmName: grid}
  parallelTrialCount: 1
  maxTrialCount: 1
  parameters:
    - {name: units, parameterType: discrete, feasibleSpace: {list: [96]}}
  resources: {processes: 1, cpus: 1, oversubscribe: true}
  trialTemplate:
    trainer:
      data: {format: csv, path: digits.csv, label: label, split: {val: 0.2, seed: 1}}
      model: [{linear: {units: "${units}"}}, {relu: {}}, {dropout: {p: 0.2}}, {linear: {units: 10}}]
      loss: crossEntropy
      optimizer: {name: adamw, lr: 0.003, weightDecay: 0.01}
      schedule: {name: cosine, warmup: 0.1}
      batchSize: 64
      epochs: 15
      report: {every: epoch}
YAML
for n in 1 2 3; do
    expect_exit 0 katydid run ranks.yaml --name "ranks-$n" "resources.processes=$n"
done
expect_sql "3" "SELECT count(*) FROM trials WHERE state = 'Succeeded' AND objective > 0.95"
expect_sql "1" "SELECT max(objective) - min(objective) <= 0.005 FROM trials"
# One file of the ranks above 0 each, and no warning of MPI in what people read.
expect_sql "0" "SELECT count(*) FROM attempts WHERE state <> 'won'"
expect_sound ranks-3
expect_nothing_left
