#!/usr/bin/env bash
# The trainer on the CUDA device and NCCL, without a GPU: the kernels on the sim of tests/cuda, in a plugin as the real one, with memory that
# the host dies of touching and streams that do nothing before somebody waits. The losses are the CPU's, at any number of ranks.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

plugin=${KATYDID_BIN%/}/../tests/libkatydid_cuda_sim.so
[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
[ -e "$plugin" ] || skip "this build has no sim (no C++ compiler)"
export KATYDID_SIM_GUARD=1 KATYDID_NCCL=/nonexistent
standin=${KATYDID_BIN%/}/../tests/libnccl_standin.so

# shellcheck source=tests/cuda/models.sh
. "$KATYDID_SOURCE/tests/cuda/models.sh"

on_cpu() { katydid-trainer "$@" +device=cpu; }
on_sim() { KATYDID_CUDA_PLUGIN=$plugin katydid-trainer "$@" +device=cuda; }
ranks_on_sim() {
    local n=$1
    shift
    KATYDID_CUDA_PLUGIN=$plugin mpirun -np "$n" --oversubscribe --bind-to none katydid-trainer "$@" +device=cuda
}

expect_same_reports() {
    same_reports "$1" "$2" || complain "$3: $(cat "$1") $(cat "$2")"
}

for model in mlp cnn gpt; do
    on_cpu "$model.yaml" >cpu 2>err || complain "$model on the CPU: $(cat err)"
    on_sim "$model.yaml" >sim 2>err || complain "$model on the sim: $(cat err)"
    expect_same_reports cpu sim "$model: the sim is not the CPU"
    KATYDID_SIM_STREAMS=eager on_sim "$model.yaml" >at_once 2>err || complain "$model, eager: $(cat err)"
    same_lines sim at_once || complain "$model: streams matter"
    KATYDID_CUDA_GRAPH=0 on_sim "$model.yaml" >launches 2>err || complain "$model, no graph: $(cat err)"
    same_lines sim launches || complain "$model: graphs matter"
    # Samples that do not fit on the device are sent with their batch.
    KATYDID_SIM_FREE=100000000,1000 on_sim "$model.yaml" >sent 2>err || complain "$model, samples sent: $(cat err)"
    expect_same_reports sim sent "$model: sent samples are others"
    # They go ahead of the steps, as far as they may.
    KATYDID_SIM_FREE=100000000,1000 KATYDID_SIM_STREAMS=beside on_sim "$model.yaml" >ahead 2>err || complain "$model, ahead: $(cat err)"
    same_lines sent ahead || complain "$model: samples that are sent come too early or too late"
done

# Products by cuBLASLt, the small ones too: a stand-in that computes them in double.
lt_standin=${KATYDID_BIN%/}/../tests/liblt_standin.so
on_lt() { KATYDID_CUBLASLT=$lt_standin KATYDID_CUBLASLT_FROM=1 KATYDID_SIM_ARCHITECTURE=80 on_sim "$@"; }
for model in mlp cnn gpt; do
    on_cpu "$model.yaml" >cpu 2>err || complain "$model on the CPU: $(cat err)"
    on_lt "$model.yaml" >lt 2>err || complain "$model by cuBLASLt: $(cat err)"
    expect_same_reports cpu lt "$model: products by cuBLASLt are not the CPU's"
    KATYDID_CUDA_GRAPH=0 on_lt "$model.yaml" >launches 2>err || complain "$model by cuBLASLt, no graph: $(cat err)"
    same_lines lt launches || complain "$model by cuBLASLt: graphs matter"
    KATYDID_LT_STANDIN='nothing=1' on_lt "$model.yaml" >tiles 2>err || complain "$model without algorithms: $(cat err)"
    expect_same_reports cpu tiles "$model: without algorithms"
done

# A precision rounds something, and what is trained is nearly the same.
last_loss() { sed -n 's/.* val_loss=\([^ ]*\) .*/\1/p' "$1" | tail -n 1; }
near() { # file file share
    awk -v a="$(last_loss "$1")" -v b="$(last_loss "$2")" -v share="$3" \
        'BEGIN { d = a - b; exit !(a > 0 && d * d < (share * a) ^ 2) }' || complain "$4: $(last_loss "$2"), not $(last_loss "$1")"
}
for model in cnn gpt mlp; do
    on_lt "$model.yaml" >exact 2>err || complain "$model in fp32: $(cat err)"
    for precision in fp16 tf32 bf16; do
        on_lt "$model.yaml" "+precision=$precision" >rounded 2>err || complain "$model in $precision: $(cat err)"
        ! same_lines exact rounded || complain "$precision rounds nothing: $(cat rounded)"
        near exact rounded 0.01 "$model in $precision"
        [ $precision != tf32 ] || continue
        KATYDID_SIM_ARCHITECTURE=80 on_sim "$model.yaml" "+precision=$precision" >tiles 2>err ||
            complain "$model in $precision without cuBLASLt: $(cat err)"
        near rounded tiles 0.01 "$model in $precision without cuBLASLt"
        KATYDID_CONVOLUTIONS=unfolded on_lt "$model.yaml" "+precision=$precision" >patches 2>err ||
            complain "$model in $precision, patches written out: $(cat err)"
        near exact patches 0.01 "$model in $precision, patches written out"
    done
done
KATYDID_CUBLASLT=$lt_standin KATYDID_CUBLASLT_FROM=1 KATYDID_SIM_ARCHITECTURE=80 \
    ranks_on_sim 2 mlp.yaml +precision=bf16 +comm=shm >ranks 2>err || complain "bf16 on 2 ranks: $(cat err)"
expect_same_reports rounded ranks "bf16 on 2 ranks"

# The scale of fp16's loss is a part of the state: halved where gradients overflow, and gone on with.
left_out() { grep -ao 'loss_scale_left_out\\":[0-9]*' "$1"/*.safetensors | tail -n 1 | sed 's/.*://'; }
scale() { grep -ao 'loss_scale\\":[0-9.e+]*' "$1"/*.safetensors | head -n 1 | sed 's/.*://'; }
half=(mlp.yaml +precision=fp16 batchSize=1 accumulate=1 epochs=2 loss.labelSmoothing=0 optimizer.lr=0.5)
on_lt "${half[@]}" --checkpoint-dir f-whole >f-whole.out 2>err || complain "fp16: $(cat err)"
on_lt "${half[@]}" --until 1 --checkpoint-dir f-half >f-half.out 2>err || complain "fp16: $(cat err)"
on_lt "${half[@]}" --checkpoint-dir f-half >f-half.out 2>err || complain "fp16: $(cat err)"
same_lines f-whole.out f-half.out || complain "fp16 resumed: $(cat f-half.out) not $(cat f-whole.out)"
[ "$(scale f-whole)" = "$(scale f-half)" ] || complain "other scales: $(scale f-whole) $(scale f-half)"
[ "$(scale f-whole)" -lt 65536 ] || complain "nothing overflowed: $(scale f-whole)"
KATYDID_CUBLASLT=$lt_standin KATYDID_CUBLASLT_FROM=1 ranks_on_sim 2 "${half[@]}" +comm=shm +zero=1 >ranks 2>err || complain "fp16 on 2 ranks: $(cat err)"
expect_same_reports f-whole.out ranks "fp16 on 2 ranks"
# Two ranks that go on agree on how many steps were left out, which Adam does not count.
two_half() { KATYDID_CUBLASLT=$lt_standin KATYDID_CUBLASLT_FROM=1 ranks_on_sim 2 "${half[@]}" +comm=shm +zero=0 --checkpoint-dir f-two "$@"; }
two_half --until 1 >ranks 2>err || complain "fp16 on 2 ranks, to be gone on with: $(cat err)"
two_half >ranks 2>err || complain "fp16 on 2 ranks, gone on with: $(cat err)"
expect_same_reports f-whole.out ranks "fp16 on 2 ranks, gone on with"
[ "$(left_out f-two)" = "$(left_out f-whole)" ] || complain "other steps were left out: $(left_out f-two)"
[ "$(left_out f-whole)" -gt 0 ] || complain "no step was left out"

# Gradients that overflow whatever the scale are a divergence: nothing would ever be learnt.
{ echo x,y && for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "$i,$((i * 1000000000))"; done; } >big.csv
cat >big.yaml <<'YAML'
data: {format: csv, path: big.csv, targets: [y], split: {val: 0.2}}
model: [{linear: {units: 8}}, relu, {linear: {units: 1}}]
loss: mse
optimizer: {name: adamw, lr: 0.01}
precision: fp16
device: cuda
batchSize: 4
epochs: 12
YAML
KATYDID_CUBLASLT=$lt_standin KATYDID_CUBLASLT_FROM=1 KATYDID_SIM_ARCHITECTURE=80 KATYDID_CUDA_PLUGIN=$plugin \
    expect_exit 1 katydid-trainer big.yaml
expect_in err 'diverged: step [0-9]* .*: the loss, or its gradient at any scale of fp16, is not finite'

# What there is not is said.
export KATYDID_CUDA_PLUGIN=$plugin
expect_exit 2 katydid-trainer mlp.yaml +device=cuda +precision=bf16
expect_in err '/precision: bf16 needs a GPU of architecture 80 or later, and this one .* has 70: use fp32'
KATYDID_SIM_ARCHITECTURE=80 expect_exit 2 katydid-trainer mlp.yaml +device=cuda +precision=tf32
expect_in err '/precision: tf32 needs cuBLASLt; without it there are fp32, bf16 and fp16: cuBLASLt: cannot load'
expect_exit 2 katydid-trainer mlp.yaml +device=cpu +precision=bf16
expect_in err 'the CPU computes in fp32, not bf16'
KATYDID_CUDA_PLUGIN=/nonexistent expect_exit 2 katydid-trainer mlp.yaml +precision=bf16
expect_in err '/precision: the CPU computes in fp32, not bf16: use fp32, or a GPU'
KATYDID_LT_STANDIN='fail=9' KATYDID_CUBLASLT=$lt_standin KATYDID_CUBLASLT_FROM=1 expect_exit 1 katydid-trainer mlp.yaml +device=cuda
expect_in err 'cublasLtMatmul failed: CUBLAS_STATUS_EXECUTION_FAILED, in the product'
unset KATYDID_CUDA_PLUGIN

# Staged: gradients, sums of batch-norm and the shares of the state go by way of the host.
for way in 'cnn 2 shm 1' 'cnn 3 mpi 0' 'gpt 2 mpi 1' 'mlp 2 shm 0'; do
    read -r model n comm zero <<<"$way"
    on_cpu "$model.yaml" >cpu 2>err || complain "$model on the CPU: $(cat err)"
    ranks_on_sim "$n" "$model.yaml" "+comm=$comm" "+zero=$zero" >sim 2>err || complain "$way: $(cat err)"
    expect_same_reports cpu sim "$way"
done

# On the GPUs, a sum beside the backward pass: each rank has one of its own.
for way in 'cnn 2 0' 'mlp 4 1' 'gpt 3 1'; do
    read -r model n zero <<<"$way"
    on_cpu "$model.yaml" >cpu 2>err || complain "$model on the CPU: $(cat err)"
    KATYDID_NCCL=$standin ranks_on_sim "$n" "$model.yaml" "+zero=$zero" >sim 2>err || complain "nccl, $way: $(cat err)"
    ! grep -q 'through the host' err || complain "nccl, $way: $(cat err)"
    expect_same_reports cpu sim "nccl, $way"
done

# What keeps ranks from it is said, and is an error only where NCCL was asked for.
two=(env KATYDID_CUDA_PLUGIN="$plugin" mpirun -np 2 --oversubscribe --bind-to none katydid-trainer)
expect_exit 0 "${two[@]}" mlp.yaml +device=cuda epochs=1
expect_in err 'the ranks sum through the host.s memory: .*/nonexistent'
expect_exit 2 "${two[@]}" mlp.yaml +device=cuda epochs=1 +comm=nccl
export KATYDID_NCCL=$standin
KATYDID_SIM_GPUS=1 expect_exit 2 "${two[@]}" mlp.yaml +device=cuda epochs=1 +comm=nccl
expect_in err '/comm: ranks 0 and 1 have the same GPU'
# Rank r takes the r-th GPU, and begins anew after the last.
KATYDID_SIM_GPUS=2 expect_exit 0 "${two[@]}" mlp.yaml +device=cuda epochs=1 +comm=nccl
KATYDID_SIM_GPUS=2 expect_exit 2 mpirun -x KATYDID_CUDA_PLUGIN="$plugin" -np 3 --oversubscribe --bind-to none \
    katydid-trainer mlp.yaml +device=cuda epochs=1 +comm=nccl
expect_in err '/comm: ranks 0 and 2 have the same GPU'
expect_exit 2 "${two[@]}" mlp.yaml +device=cpu +comm=nccl
expect_in err '/comm: nccl sums on GPUs, and the device is cpu'

# A sum that is never done ends the gang within the deadline, and says which sums there were.
export KATYDID_COMM_DEADLINE=1
KATYDID_NCCL_STANDIN='hang=7,rank=1' expect_exit 1 "${two[@]}" mlp.yaml +device=cuda +zero=0
expect_in err 'NCCL: rank . of 2: what is queued is not done after 1 s'
expect_in err 'the gang ends, to go on from its last checkpoint'
expect_in err 'sum_floats'
unset KATYDID_COMM_DEADLINE

# A rank that cannot join tells the others, whose deadline is far away: before they see it, and when they have joined themselves.
export KATYDID_COMM_DEADLINE=100000
for why in 'stays_away=2' 'init=2'; do
    for rank in 0 1; do
        KATYDID_NCCL_STANDIN="$why,rank=$rank" expect_exit 2 "${two[@]}" mlp.yaml +device=cuda epochs=1 +comm=nccl
        expect_in err "/comm: NCCL: rank $rank of 2: ncclCommInitRankConfig: unhandled system error"
    done
done
unset KATYDID_COMM_DEADLINE

# An end that hangs is told of, and no failure of what was trained.
KATYDID_NCCL_STANDIN='destroy_hangs=1' expect_exit 0 "${two[@]}" mlp.yaml +device=cuda epochs=1
expect_in err 'succeeded' 'ncclCommDestroy has not returned for 5 s'
# So is one of a gang that cannot join: it sums by way of the host. Rank 0 has joined, and gives that up.
KATYDID_NCCL_STANDIN='init=2,init_of=1,abort_hangs=1' expect_exit 0 "${two[@]}" mlp.yaml +device=cuda epochs=1
expect_in err 'succeeded' 'the ranks sum through the host.s memory: NCCL: rank 1 of 2: ncclCommInitRankConfig' \
    'NCCL: rank 1 of 2 joins: ncclCommAbort has not returned for 5 s' \
    'NCCL: rank 0 of 2 closes: ncclCommAbort has not returned for 5 s'
export KATYDID_NCCL=/nonexistent

# A training that diverges is found while the host is steps ahead, by one rank as by two.
for n in 1 2; do
    expect_exit 1 env KATYDID_CUDA_PLUGIN="$plugin" mpirun -np $n --oversubscribe --bind-to none katydid-trainer mlp.yaml \
        optimizer.name=sgd ~optimizer.weightDecay optimizer.lr=1e6 clipNorm=0 +device=cuda
    expect_in err 'diverged: step [0-9]* \(epoch 1\): .* is not finite'
done

# A checkpoint goes on where it is from, to the same bits, and on the other device.
parts() { sed -n 's/^epoch=\([0-9]*\) train_loss=\([^ ]*\).*val_loss=\([^ ]*\) .*/\1 \2 \3/p' "$@"; }
on_sim mlp.yaml epochs=4 --checkpoint-dir whole >whole.out 2>err || complain "whole: $(cat err)"
on_sim mlp.yaml epochs=4 --until 2 --checkpoint-dir half >half.out 2>err || complain "half: $(cat err)"
cp -r half other
on_sim mlp.yaml epochs=4 --checkpoint-dir half >half.out 2>err || complain "going on: $(cat err)"
[ "$(parts whole.out)" = "$(parts half.out)" ] || complain "resumed: $(parts half.out), not $(parts whole.out)"
on_cpu mlp.yaml epochs=4 --checkpoint-dir other >other.out 2>err || complain "on the CPU: $(cat err)"
expect_same_reports whole.out other.out "gone on with on the CPU"

# With another precision it goes on, and says that it does.
on_sim mlp.yaml epochs=4 --until 2 --checkpoint-dir rounded-on >half.out 2>err || complain "half: $(cat err)"
on_lt mlp.yaml epochs=4 +precision=bf16 --checkpoint-dir rounded-on >rounded.out 2>err || complain "going on in bf16: $(cat err)"
expect_in err 'precision: .*bf16'
[ "$(parts rounded.out | wc -l)" = 4 ] || complain "gone on with in bf16: $(cat rounded.out)"

# auto: a GPU where there is one that can be used, else the CPU, with not a word on a machine that has none.
KATYDID_CUDA_PLUGIN=$plugin katydid-trainer mlp.yaml epochs=1 --profile >out 2>err || complain "auto: $(cat err)"
KATYDID_CUDA_PLUGIN=/nonexistent katydid-trainer mlp.yaml epochs=1 >out 2>err || complain "auto without: $(cat err)"
KATYDID_CUDA_PLUGIN=/nonexistent expect_exit 2 katydid-trainer mlp.yaml +device=cuda
expect_in err '/device: device cuda: the plugin cannot be loaded: /nonexistent'

# What does not fit is told before anything is allocated, and is the trial's failure; ranks that share a GPU count each other.
KATYDID_GPU_PATIENCE=0 KATYDID_SIM_FREE=1000 KATYDID_CUDA_PLUGIN=$plugin expect_exit 2 katydid-trainer mlp.yaml +device=cuda
expect_in err 'the GPU has 1e-06 GB free of 1.07: other programs hold the rest .* use fewer units or a smaller batch'
expect_exit 0 "${two[@]}" mlp.yaml epochs=1 +device=cuda +comm=shm
# Which of them holds it they cannot tell, so nobody else is blamed or waited for.
KATYDID_SIM_FREE=100000 KATYDID_SIM_GPUS=1 expect_exit 2 "${two[@]}" mlp.yaml epochs=1 +device=cuda +comm=shm
expect_in err 'the GPU has 5e-05 GB free of 1.07: use fewer units'

# An error of CUDA's, after which nothing on the GPU can be trusted, ends the gang; a fresh one goes on from the checkpoint.
{
    cat <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: sticky}
spec:
  objective: {type: minimize, objectiveMetricName: val_loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 1
  parameters: [{name: lr, parameterType: double, feasibleSpace: {min: 0.01, max: 0.02}}]
  trialTemplate:
    trainer:
      device: cuda
      checkpoint: {every: 1}
YAML
    sed -e 's/lr: 0.02/lr: "${lr}"/' -e 's/epochs: 3/epochs: 12/' -e 's/^/      /' mlp.yaml
} >sticky.yaml
KATYDID_CUDA_PLUGIN=$plugin KATYDID_SIM_FAIL=cudaGraphLaunch:90 expect_exit 0 katydid run sticky.yaml
expect_in err 'CUDA: cudaGraphLaunch.* failed' 'trial 0 started again \(attempt 2\)'
expect_sql 2 "SELECT count(*) FROM attempts"
expect_sql Succeeded "SELECT state FROM trials"
