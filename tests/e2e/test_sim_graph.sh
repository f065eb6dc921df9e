#!/usr/bin/env bash
# A step as one CUDA graph, on the sim: the same weights to the bit as call by call, alone and over ranks whose sums NCCL's stand-in does, and one
# launch a step. The graph's branches are done as late and as early as they may be, so that who forgets to wait gets other weights.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

plugin=${KATYDID_BIN%/}/../tests/libkatydid_cuda_sim.so
[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
[ -e "$plugin" ] || skip "this build has no sim (no C++ compiler)"
export KATYDID_SIM_GUARD=1 KATYDID_CUDA_PLUGIN=$plugin
export KATYDID_NCCL=${KATYDID_BIN%/}/../tests/libnccl_standin.so

# Some two hundred ranks end here, and LeakSanitizer's look at MPI's threads as those end fails now and then ("Tracer caught signal 11").
# Leaks of the same code are test_sim.sh's to find.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"

# shellcheck source=tests/cuda/models.sh
. "$KATYDID_SOURCE/tests/cuda/models.sh"

# N ranks train; all there is of tensors in the last checkpoint, the only one, is told as a sum.
train() {
    local n=$1
    shift
    rm -rf kept
    mpirun -np "$n" --oversubscribe --bind-to none katydid-trainer "$@" +device=cuda +checkpoint.every=0 --checkpoint-dir kept >out 2>err ||
        complain "$n ranks, $*: $(cat err)"
    ! grep -q 'through the host' err || complain "$n ranks, $*: $(cat err)"
}
weights() {
    local file header
    for file in kept/*.safetensors; do
        header=$(od -An -tu8 -N8 "$file")
        tail -c +$((header + 9)) "$file" | cksum
    done
}
expect_same_weights() {
    KATYDID_CUDA_GRAPH=0 train "$@"
    weights >wanted
    for order in late early; do
        KATYDID_SIM_GRAPH=$order train "$@"
        weights >got
        cmp -s wanted got || complain "$*: other weights with graphs, branches $order"
    done
}

expect_same_weights 1 mlp.yaml
expect_same_weights 2 mlp.yaml +zero=0
expect_same_weights 3 mlp.yaml +zero=1
expect_same_weights 4 mlp.yaml +zero=0
expect_same_weights 2 cnn.yaml +zero=1
expect_same_weights 3 gpt.yaml +zero=0 clipNorm=0
export KATYDID_CUBLASLT=${KATYDID_BIN%/}/../tests/liblt_standin.so KATYDID_CUBLASLT_FROM=1
for n in 1 2; do
    expect_same_weights "$n" mlp.yaml +precision=fp16 batchSize=1 accumulate=1 epochs=2 loss.labelSmoothing=0 optimizer.lr=0.5
done
# Ranks whose shares of the last batch are not those of the others record it at the same step all the same.
expect_same_weights 2 mlp.yaml +precision=fp16 data.samples=61 accumulate=1 batchSize=10 +zero=0
expect_same_weights 2 mlp.yaml data.samples=61 accumulate=1 batchSize=10 +zero=1
export KATYDID_CUBLASLT=none

# What each rank calls in an epoch more: five steps, of which the last has another size.
calls() { cat counts.* | awk -v name="$1" '$1 == name { n += $2 } END { print n + 0 }'; }
calls_of_an_epoch() {
    local name=$1 n=$2 before
    shift 2
    rm -f counts.*
    KATYDID_SIM_COUNTS=counts train "$n" "$@" epochs=6
    before=$(calls "$name")
    rm -f counts.*
    KATYDID_SIM_COUNTS=counts train "$n" "$@" epochs=7
    echo $((($(calls "$name") - before) / n))
}
plain=(mlp.yaml data.split.val=0)
for way in '1 0' '2 1' '3 0'; do
    read -r n zero <<<"$way"
    launches=$(calls_of_an_epoch cudaGraphLaunch "$n" "${plain[@]}" accumulate=1 "+zero=$zero")
    [ "$launches" = 5 ] || complain "$n ranks, zero $zero: $launches graphs are launched in 5 steps"
    launches=$(calls_of_an_epoch cudaGraphLaunch "$n" "${plain[@]}" "+zero=$zero")
    [ "$launches" = 10 ] || complain "$n ranks, zero $zero: $launches graphs in 5 steps of two micro-batches"
    captures=$(calls_of_an_epoch cudaStreamBeginCapture "$n" "${plain[@]}" "+zero=$zero")
    [ "$captures" = 0 ] || complain "$n ranks, zero $zero: $captures captures in the seventh epoch"
done

# Sums have a queue that goes before the others.
rm -f counts.*
KATYDID_SIM_COUNTS=counts train 2 mlp.yaml epochs=1
[ "$(calls cudaStreamCreateWithPriority)" = 2 ] || complain "the sums' queues are as all others"

# A sum of a graph that is never done ends the gang within the deadline, as any other, and says which there were: of 130 those before a
# wait that was over.
export KATYDID_COMM_DEADLINE=1
KATYDID_NCCL_STANDIN='hang=130,rank=1' expect_exit 1 mpirun -np 2 --oversubscribe --bind-to none \
    katydid-trainer mlp.yaml epochs=40 clipNorm=0 +device=cuda
expect_in err 'NCCL: rank . of 2: what is queued is not done after 1 s' 'the gang ends, to go on from its last checkpoint' \
    'sum_floats, .* done' 'sum_floats, .* pending'
unset KATYDID_COMM_DEADLINE

# The host launches no kernel beside it: an epoch of many steps has but those of a report, and of the measuring of the GPU's speed, which are
# a few more or less each time.
for model in mlp cnn gpt; do
    kernels=$(calls_of_an_epoch cudaLaunchKernel 1 "$model.yaml" data.samples=80 batchSize=1 accumulate=1)
    [ "$kernels" -lt 40 ] || complain "$model: $kernels kernels are launched beside the graphs of 64 steps"
done
