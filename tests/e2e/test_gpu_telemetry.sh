#!/usr/bin/env bash
# What trials make of their GPUs is in the database and is shown; replay needs none of it, and without GPUs nothing is there. A
# stand-in plays the machines: its GPUs take 200 W, 400 W, ...
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export KATYDID_NVML=$KATYDID_BIN/../tests/libnvml_standin.so
unset CUDA_VISIBLE_DEVICES KATYDID_FAKE_GPUS
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
    command: [sh, -c, 'while [ ! -e go ]; do sleep 0.1; done; echo loss=$0', "${x}"]
YAML
# begun EXPERIMENT N: N rows of GPUs are there, each with its UUID.
begun() {
    [ "$(sqlite3 "file:$KATYDID_DB?mode=ro" "SELECT count(*) FROM attempt_gpus g JOIN attempts a USING(fence)
        JOIN experiments e ON e.id = a.trial_id / 1000000000
        WHERE e.name = '$1' AND uuid LIKE '%-00000000000' || gpu" 2>/dev/null)" = "$2" ]
}

all_are_read() {
    [ "$(find standin -name 'read-[0-3]' | wc -l)" = 4 ]
}

# While they run, the GPUs' UUIDs are there already.
mkdir standin
export NVML_STANDIN_DIR=$work/standin
NVML_STANDIN=station katydid run gpus.yaml >run.out 2>run.err </dev/null &
run=$!
wait_until 60 "two trials hold two GPUs each" begun gpus 4
wait_until 60 "all four were looked at" all_are_read
touch go
wait $run || fail "$(cat run.err)"
expect_sql 8 "SELECT count(*) FROM attempt_gpus"
# The first two were looked at when they began; the next two may have been too short.
expect_sql 4 "SELECT count(*) FROM attempt_gpus WHERE fence <= 2 AND energy_joules > 0 AND seconds > 0
    AND abs(utilization_mean_percent - 60 - gpu) < 1e-6 AND utilization_peak_percent = 60 + gpu
    AND temperature_peak_celsius = 50 + gpu AND memory_peak_bytes = (gpu + 1) << 30
    AND energy_joules BETWEEN 100 * (gpu + 1) * seconds AND 400 * (gpu + 1) * seconds"
expect_sql 0 "SELECT count(*) FROM attempt_gpus g JOIN attempts a USING(fence)
    WHERE seconds > finished_at - started_at + 5"
expect_sound gpus
expect_exit 0 katydid trials gpus
expect_in out 'gpu_percent +gpu_gib +gpu_celsius +joules +seconds'
expect_exit 0 katydid trials gpus --json
expect_in out '"trial":0,.*"gpu_percent":6[0-9.]+,"gpu_gib":[34],"gpu_celsius":5[23],"joules":[0-9]'
expect_exit 0 katydid show gpus
expect_in out '^Energy +[0-9.]+ kJ .* on GPUs, in all attempts$' '^ +1 +[0-3] +GPU-5748a0b1-.*000[0-3] '
expect_exit 0 katydid show gpus --json
expect_in out '"gpus":\[\{"attempt":1,"gpu":[0-3],"uuid":"GPU-5748' '"gpuEnergyJoules":[0-9]'
expect_exit 0 katydid explain gpus
expect_in out '^gpu_gib +memory_peak_bytes '

# Nothing of it decides anything: with other numbers, and with none, the journal gives the same decisions.
sqlite3 "$KATYDID_DB" "UPDATE attempt_gpus SET energy_joules = 1e9, uuid = 'another'"
expect_exit 0 katydid replay gpus
sqlite3 "$KATYDID_DB" "DELETE FROM attempt_gpus"
expect_exit 0 katydid replay gpus
expect_sql 0 "SELECT count(*) FROM events WHERE data LIKE '%joules%' OR data LIKE '%GPU-%'"

# An instance of a GPU: its memory and temperature, no energy of its own.
NVML_STANDIN=mig expect_exit 0 katydid run gpus.yaml --name mig resources.gpus=1
expect_sql 4 "SELECT count(*) FROM attempt_gpus WHERE uuid LIKE 'MIG-%' AND energy_joules IS NULL"

# A coordinator that is killed leaves which GPUs they were, and no numbers; the attempts after it are measured again.
rm go standin/read-*
NVML_STANDIN=station katydid run gpus.yaml --name killed >run.out 2>run.err </dev/null &
run=$!
wait_until 60 "all four were looked at" all_are_read
kill -9 $run
wait $run
touch go
NVML_STANDIN=station expect_exit 0 katydid run gpus.yaml --name killed
expect_sql 'lost|4|0' "SELECT a.state, count(*), count(seconds) FROM attempt_gpus g JOIN attempts a USING (fence)
    JOIN experiments e ON e.id = a.trial_id / 1000000000 WHERE e.name = 'killed' AND a.state = 'lost'"
expect_sql 8 "SELECT count(*) FROM attempt_gpus g JOIN attempts a USING (fence)
    JOIN experiments e ON e.id = a.trial_id / 1000000000 WHERE e.name = 'killed' AND a.state = 'won'"
expect_sound killed
sqlite3 "$KATYDID_DB" "DELETE FROM attempt_gpus WHERE uuid NOT LIKE 'MIG-%'"

# No GPUs, no rows, no columns; GPUs that are not there have a name and nothing to tell.
NVML_STANDIN=station expect_exit 0 katydid run gpus.yaml --name cpu resources.gpus=0
expect_sql 4 "SELECT count(*) FROM attempt_gpus"
expect_exit 0 katydid trials cpu
! grep -q 'gpu_\|joules' out || fail "columns of GPUs without one: $(cat out)"
KATYDID_FAKE_GPUS=2 expect_exit 0 katydid run gpus.yaml --name fake resources.gpus=1
expect_sql 4 "SELECT count(*) FROM attempt_gpus WHERE uuid LIKE 'GPU-stand-in-%' AND seconds IS NULL"
expect_exit 0 katydid show fake
! grep -q '^Energy' out || fail "nobody can know it: $(cat out)"
expect_nothing_left
