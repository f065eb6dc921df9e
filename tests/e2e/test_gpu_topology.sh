#!/usr/bin/env bash
# Gangs get the GPUs that are connected best, MIG instances by their UUID; replay says the same. A stand-in plays the machines.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export KATYDID_NVML=$KATYDID_BIN/../tests/libnvml_standin.so
unset CUDA_VISIBLE_DEVICES
cat >gpus.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: gpus}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: auto
  maxTrialCount: 4
  resources: {gpus: 2, cpus: 0.25}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}
  trialTemplate:
    command: [sh, -c, 'echo "devices=$CUDA_VISIBLE_DEVICES end loss=$0"', "${x}"]
YAML

# expect_devices NAME PATTERN: what each trial of the experiment was given.
expect_devices() {
    local trial
    for trial in 0 1 2 3; do
        expect_exit 0 katydid logs "$1" $trial
        expect_in out "devices=($2) end"
    done
}

NVML_STANDIN=station expect_exit 0 katydid run gpus.yaml --name station
expect_devices station '0,3|1,2'
# The links are in the journal: on a machine without them every decision is still the one that was taken.
expect_exit 0 katydid replay station
expect_sql '[100,100,200,200,100,100]' "SELECT data ->> 'links' FROM events WHERE kind = 'started'"

# Resumed on another machine, where pairs are alike.
NVML_STANDIN=pcie expect_exit 0 katydid run gpus.yaml --name station maxTrialCount=6
expect_exit 0 katydid logs station 5
expect_in out 'devices=0,1 end'
expect_exit 0 katydid replay station

NVML_STANDIN=mig expect_exit 0 katydid run gpus.yaml --name mig resources.gpus=1
expect_devices mig 'MIG-feee0c61-0000-0000-0000-00000000000[013]'

# Three instances and no whole GPU are not four; two kinds are not added up.
NVML_STANDIN=mig expect_exit 2 katydid run gpus.yaml --name many resources.gpus=4
expect_in err '4 GPUs'
NVML_STANDIN=mixed expect_exit 2 katydid run gpus.yaml --name kinds resources.gpus=4
expect_in err '5 GPUs, whole ones and MIG instances, of which a trial gets one kind,'
expect_nothing_left
