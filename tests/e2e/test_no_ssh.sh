#!/usr/bin/env bash
# Ranks start on a machine that has neither ssh nor rsh, as many containers have not.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

command -v mpirun >/dev/null || skip "no mpirun"
mkdir programs
IFS=: read -ra folders <<<"$PATH"
for folder in "${folders[@]}"; do
    find "$folder/" -maxdepth 1 ! -type d ! -name ssh ! -name rsh -exec ln -s -t programs {} + 2>/dev/null
done
export PATH=$PWD/programs
! command -v ssh rsh || fail "still there"

cat >ranks.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: ranks}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  maxTrialCount: 1
  resources: {processes: 2, cpus: 0.5}
  parameters: [{name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}]
  trialTemplate: {command: [sh, -c, 'echo loss=$WORLD_SIZE', "${args}"]}
YAML
expect_exit 0 katydid run ranks.yaml
expect_sql '2.0|Succeeded' "SELECT objective, state FROM trials"
expect_nothing_left
