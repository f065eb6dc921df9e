#!/usr/bin/env bash
# A GPU that is out of memory when nobody asks any more: the trial fails at once, for a reason that has the numbers, the next one gets a
# fresh gang, and the search goes on. On the sim of tests/cuda, of any rank, whichever call it is.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

KATYDID_CUDA_PLUGIN=${KATYDID_BIN%/}/../tests/libkatydid_cuda_sim.so
[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
[ -e "$KATYDID_CUDA_PLUGIN" ] || skip "this build has no sim (no C++ compiler)"
export KATYDID_CUDA_PLUGIN KATYDID_SIM_GUARD=1 KATYDID_NCCL=/nonexistent KATYDID_FAKE_GPUS=2

# The GPU has enough, but no piece that is as large as a large batch needs: asking first what is free does not tell.
cat >net.yaml <<'YAML'
data: {format: synthetic, kind: features, shape: [1], classes: 2, samples: 16000, split: {val: 0.2}}
model: [{linear: {units: 2}}]
optimizer: {name: adamw, lr: 0.02}
device: cuda
batchSize: "${rows}"
epochs: 1
YAML
{
    cat <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: memory}
spec:
  objective: {type: minimize, objectiveMetricName: val_loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 4
  maxFailedTrialCount: 3
  limits: {maxRetries: 2}
  resources: {gpus: 1, cpus: 0.25}
  parameters:
    - {name: rows, parameterType: discrete, feasibleSpace: {list: [1600, 11800, 3200, 12800]}}
  trialTemplate:
    trainer:
YAML
    sed 's/^/      /' net.yaml
} >memory.yaml
text='out of GPU memory: [0-9.e-]* GB asked for \(a model, its optimizer or its data\); this process holds [0-9.e-]* GB, [0-9.e-]* GB of 1.07 are free, and others \(.*\) hold [0-9.e-]* GB: use fewer units, a smaller batch'

# A rank has half of a batch, so ranks have data and batches twice as large.
sed -e 's/16000/32000/; s/11800/23600/; s/12800/25600/' memory.yaml >ranks.yaml

# By hand, alone and under mpirun: the same text, and an exit code of its own.
export KATYDID_SIM_LARGEST=200000
expect_exit 0 katydid-trainer net.yaml rows=1600
expect_exit 71 katydid-trainer net.yaml rows=12800
expect_in err "^katydid: error: $text"
expect_exit 71 mpirun -np 2 --oversubscribe --bind-to none katydid-trainer net.yaml rows=25600 data.samples=32000
expect_in err "^katydid: error: $text"

# expect_search NAME SPEC ARGUMENT...: those that fit ran once and those that do not ran once, and each says why.
expect_search() {
    local name=$1 spec=$2
    shift 2
    expect_exit 0 katydid run "$spec" --name "$name" "$@"
    expect_in err "^  $text"
    ! grep 'started again' err || fail "tried again: $(cat err)"
    expect_sql '1600:1:Succeeded,3200:1:Succeeded,large:1:Failed,large:1:Failed' "SELECT group_concat(line) FROM (
        SELECT iif(p.value > 9999, 'large', CAST(p.value AS INTEGER)) || ':' || t.attempts || ':' || t.state AS line
        FROM trials t JOIN params p ON p.trial_id = t.id JOIN experiments e ON e.id = t.experiment_id
        WHERE e.name = '$name' ORDER BY p.value)"
    expect_sql 2 "SELECT count(*) FROM trials t JOIN experiments e ON e.id = t.experiment_id
        WHERE e.name = '$name' AND t.reason LIKE 'out of GPU memory: %nvidia-smi%'"
    expect_sound "$name"
}
expect_search alone memory.yaml
expect_search ranks ranks.yaml resources.gpus=2 resources.cpus=0.5
KATYDID_SIM_FAIL_RANK=1 expect_search one ranks.yaml resources.gpus=2 resources.cpus=0.5
unset KATYDID_SIM_LARGEST

# What is asked for before it is taken is not tried again either, where it is more than the GPU would have if it were all ours.
sed 's/{linear: {units: 2}}/{linear: {units: 1000000}}, {linear: {units: 100}}/' memory.yaml >wide.yaml
KATYDID_SIM_FREE=1000 expect_exit 4 katydid run wide.yaml --name asked maxTrialCount=2
expect_in err '^  /model: .* the GPU has 1e-06 GB free of 1.07: use fewer units or a smaller batch'
expect_sql '2|2' "SELECT count(*), sum(attempts) FROM trials t JOIN experiments e ON e.id = t.experiment_id
    WHERE e.name = 'asked' AND t.state = 'Failed'"
expect_sound asked

# Where others hold the memory the trial is not to blame: it is tried on the other GPU, and when all are held the run ends, for the same
# command to go on with.
for held in most:KATYDID_SIM_FREE=1000 all:KATYDID_SIM_FAIL=cudaSetDevice:1:memory; do
    name=${held%%:*} why=${held#*:}
    expect_exit 1 env KATYDID_GPU_PATIENCE=0 "$why" katydid run memory.yaml --name "$name" maxTrialCount=1
    expect_in out "a trial needs 1 GPUs, and 0 of this machine's 2 are of use. .*(the GPU has 1e-06 GB free of 1.07: other programs hold the rest|out of GPU memory before anything was asked for: other programs).* End what holds its memory, then run the same command again"
    expect_in err 'trial 0 started again \(attempt 2\)'
    expect_sql 'Pending|0|2' "SELECT t.state, user_failures, attempts FROM trials t JOIN experiments e ON e.id = t.experiment_id
        WHERE e.name = '$name'"
    expect_exit 0 katydid run memory.yaml --name "$name" maxTrialCount=1
    expect_sound "$name"
done
# What held it may be gone in a moment, as a gang is that was killed.
KATYDID_SIM_FREE=1000,1000000000 expect_exit 0 katydid-trainer net.yaml rows=1600
KATYDID_SIM_FAIL=cudaSetDevice:1:memory expect_exit 0 katydid-trainer net.yaml rows=1600
KATYDID_SIM_FREE=1000 KATYDID_GPU_PATIENCE=0 expect_exit 2 katydid-trainer net.yaml rows=1600
expect_in err 'has 1e-06 GB free of 1.07: other programs hold the rest \(`nvidia-smi` shows them\): end them, or use fewer units or a smaller batch'
KATYDID_SIM_FAIL=cudaSetDevice:1:memory KATYDID_GPU_PATIENCE=0 expect_exit 2 katydid-trainer net.yaml rows=1600
expect_in err '/device: device cuda: out of GPU memory before anything was asked for: other programs or ranks hold it'
# Nobody trains on the CPU while it holds a GPU.
KATYDID_SIM_FAIL=cudaSetDevice:1:memory KATYDID_GPU_PATIENCE=0 expect_exit 2 katydid-trainer net.yaml rows=1600 device=auto
expect_in err '/device: device cuda: out of GPU memory before anything was asked for: other programs or ranks hold it'
KATYDID_CUDA_PLUGIN=/nonexistent expect_exit 0 katydid-trainer net.yaml rows=1600 device=auto

# Nor is it when the coordinator was gone before it could hear of it: the gang's exit record tells the next one.
katydid run memory.yaml --name orphan maxTrialCount=1 trialTemplate.trainer.batchSize=1600 trialTemplate.trainer.epochs=1000000 \
    +trialTemplate.trainer.seed='${rows}' >run.out 2>run.err </dev/null &
run=$!
is_live() { [ "$(sqlite3 "file:$KATYDID_DB?mode=ro" "SELECT count(*) FROM attempts WHERE state = 'live'")" = 1 ]; }
wait_until 60 "a trial runs" is_live
gang=katydid.db.d/.gangs/$(sql "SELECT max(id) FROM gangs")
kill -9 $run
wait $run 2>/dev/null
wait_until 60 "its gang is gone" test -e "$gang/exit"
echo 'gpu_memory 71 -1 out of GPU memory: as it says' >"$gang/exit"
expect_exit 4 timeout 60 katydid run memory.yaml --name orphan maxTrialCount=1 trialTemplate.trainer.batchSize=1600 \
    trialTemplate.trainer.epochs=1000000 +trialTemplate.trainer.seed='${rows}'
expect_sql '1|Failed|out of GPU memory: as it says' "SELECT attempts, t.state, t.reason FROM trials t
    JOIN experiments e ON e.id = t.experiment_id WHERE e.name = 'orphan'"
expect_sound orphan

# Any call that finds none: the size is not known, the rest is.
for call in cudaStreamBeginCapture:1 cudaGraphInstantiate:1 cudaGraphLaunch:2; do
    KATYDID_SIM_FAIL=$call:memory expect_exit 71 katydid-trainer net.yaml rows=1600
    expect_in err "^katydid: error: out of GPU memory in .*; this process holds [0-9.e-]* GB, [0-9.e-]* GB of 1.07 are free"
done

KATYDID_CUBLASLT=${KATYDID_BIN%/}/../tests/liblt_standin.so KATYDID_CUBLASLT_FROM=1 KATYDID_LT_STANDIN='memory=7' \
    expect_exit 71 katydid-trainer net.yaml rows=1600
expect_in err '^katydid: error: out of GPU memory in cublasLtMatmul; this process holds'
KATYDID_NCCL=${KATYDID_BIN%/}/../tests/libnccl_standin.so KATYDID_NCCL_STANDIN='memory=3,rank=1' \
    expect_exit 71 mpirun -np 2 --oversubscribe --bind-to none katydid-trainer net.yaml rows=1600
expect_in err "^katydid: error: out of GPU memory in NCCL \(.*: Failed to CUDA calloc async 4194304 bytes\); this process holds"

# Before the ranks have joined nothing is lost: they sum by way of the host.
KATYDID_NCCL=${KATYDID_BIN%/}/../tests/libnccl_standin.so KATYDID_NCCL_STANDIN='init=1,init_of=1' \
    expect_exit 0 mpirun -np 2 --oversubscribe --bind-to none katydid-trainer net.yaml rows=1600
expect_in err 'the ranks sum through the host.s memory: NCCL: rank 1 of 2: .*Failed to CUDA calloc'

# An error that is none of memory's is still one of the GPU's, and tried again.
KATYDID_SIM_FAIL=cudaGraphLaunch:3 expect_exit 1 katydid-trainer net.yaml rows=1600

# A host that lets nothing be pinned is slower, and says so once.
KATYDID_SIM_FAIL=cudaHostRegister:1 expect_exit 0 katydid-trainer net.yaml rows=1600
expect_in err 'warning: copies to and from the GPU are slower .*: [0-9]* bytes of host memory cannot be pinned .*limit of locked memory is .*ulimit -l'
expect_nothing_left
