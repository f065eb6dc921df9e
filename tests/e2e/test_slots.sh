#!/usr/bin/env bash
# Every trial has GPUs and cores of its own, as many as it asks for, and as many trials run as fit (auto).
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export KATYDID_FAKE_GPUS=4
cat >gpus.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: gpus}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: auto
  maxTrialCount: 6
  resources: {gpus: 2, cpus: 0.5}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}
  trialTemplate:
    command: [sh, hold.sh, "${x}"]
YAML
# Takes each of its GPUs as a folder, so that two trials on one GPU cannot both succeed.
cat >hold.sh <<'SH'
mkdir -p gpus
IFS=,
for gpu in $CUDA_VISIBLE_DEVICES; do mkdir "gpus/$gpu" || exit 9; done
sleep 0.2
for gpu in $CUDA_VISIBLE_DEVICES; do rmdir "gpus/$gpu"; done
echo "devices=$CUDA_VISIBLE_DEVICES order=$CUDA_DEVICE_ORDER loss=$1"
SH
expect_exit 0 katydid run gpus.yaml
expect_sql "6" "SELECT count(*) FROM trials WHERE state = 'Succeeded'"
# Two at a time: somewhere the second starts before the first has ended.
expect_sql "1" "SELECT count(*) > 0 FROM attempts a JOIN attempts b ON b.fence = a.fence + 1
    AND b.started_at < a.finished_at"
expect_exit 0 katydid logs gpus 0
expect_in out 'devices=(0,1|2,3) order=PCI_BUS_ID'

# More than there is, is an error that says both numbers, before anything runs.
expect_exit 2 katydid run gpus.yaml --name many resources.gpus=5
expect_in err '5 GPUs' '4 GPUs'
# Inside what the caller may use.
unset KATYDID_FAKE_GPUS

cat >cores.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: cores}
spec:
  objective: {type: minimize, objectiveMetricName: cpus}
  algorithm: {algorithmName: random}
  maxTrialCount: 2
  resources: {cpus: 1}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}
  trialTemplate:
    command: [sh, -c, 'echo "cpus=$(nproc) x=$0"', "${x}"]
YAML
expect_exit 0 katydid run cores.yaml
threads=$(lscpu -p=CPU,CORE | awk -F, '!/^#/ { n[$2]++ } END { for (c in n) if (n[c] > most) most = n[c]; print most }')
expect_sql "2" "SELECT count(*) FROM trials t JOIN experiments e ON e.id = t.experiment_id
    WHERE e.name = 'cores' AND objective <= $threads"
expect_nothing_left
