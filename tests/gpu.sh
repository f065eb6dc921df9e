#!/usr/bin/env bash
# gpu.sh - what only a machine with an NVIDIA GPU can tell: builds, checks, times, in under eleven minutes.
#
#   tests/gpu.sh [FOLDER]     builds into FOLDER (build-gpu); the table is also written to FOLDER/gpu.md
#
# Needs nvcc and the packages of the README (tests/packages.sh). What else is missing (compute-sanitizer, a second GPU, NCCL, PyTorch)
# is named, and what needs it skipped. Ends with one line; exit code 1 when a check failed. Peers in the table need
# KATYDID_PEER_PYTHON (default python3) with torch.
set -uo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$source_dir/build-gpu}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
table=$folder/gpu.md
bin=$folder/bin
: >"$table"
n_ok=0 n_failed=0 n_skipped=0
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

say() {
    echo "$*" | tee -a "$table"
}

# check NAME SECONDS COMMAND...: a row of the table. 77 is a check that was skipped, with the reason as its last line.
check() {
    local name=$1 limit=$2 rc began=$SECONDS
    shift 2
    (
        cd "$work" || exit 1
        set -e
        "$@"
    ) >"$work/log" 2>&1 </dev/null &
    local pid=$!
    (sleep "$limit" && kill -- "$pid" 2>/dev/null) &
    local watch=$!
    wait "$pid"
    rc=$?
    kill "$watch" 2>/dev/null
    case $rc in
    0) n_ok=$((n_ok + 1)) && say "| $name | ok | $((SECONDS - began)) s |" ;;
    77) n_skipped=$((n_skipped + 1)) && say "| $name | skipped: $(tail -n 1 "$work/log") | |" ;;
    *)
        n_failed=$((n_failed + 1))
        say "| $name | FAILED ($rc) | $((SECONDS - began)) s |"
        tail -n 25 "$work/log"
        ;;
    esac
}

skip() {
    echo "$*"
    exit 77
}

n_gpus() {
    nvidia-smi -L | grep -c '^GPU '
}

# ---- the machine

describe() {
    say "# katydid on a GPU: $(date -u +%F), $(git -C "$source_dir" describe --always --dirty 2>/dev/null || echo 'no git')"
    say ""
    nvidia-smi --query-gpu=index,name,driver_version,memory.total --format=csv,noheader | sed 's/^/- GPU /' | tee -a "$table"
    say "- $(nvcc --version | grep release), $(nproc) CPU cores"
    say "- tests/gpu.sh"
    say ""
    say "| check | result | took |"
    say "|---|---|---|"
}

build() {
    local generator=()
    command -v ninja >/dev/null && generator=(-G Ninja)
    cmake -S "$source_dir" -B "$folder" "${generator[@]}" -DKATYDID_CUDA=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DKATYDID_CUDA_ARCHITECTURES="$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | tr -d . | sort -u | paste -sd ';')"
    cmake --build "$folder" -j "$(nproc)"
}

# ---- right?

ops() {
    "$folder/tests/test_ops_cuda"
}

sanitizer() {
    command -v compute-sanitizer >/dev/null || skip "no compute-sanitizer"
    compute-sanitizer --tool "$1" --error-exitcode 9 "$folder/tests/test_ops_cuda" "${@:2}"
}

train() {
    "$bin/katydid-trainer" "$@"
}

# The losses of a model are those of the CPU.
losses() {
    # shellcheck source=tests/cuda/models.sh
    . "$source_dir/tests/cuda/models.sh"
    train "$1.yaml" +device=cpu >cpu
    train "$1.yaml" +device=cuda >gpu
    cat cpu gpu
    same_reports cpu gpu
}

graphs() {
    . "$source_dir/tests/cuda/models.sh"
    local model
    for model in mlp cnn gpt; do
        train "$model.yaml" +device=cuda >graph
        KATYDID_CUDA_GRAPH=0 train "$model.yaml" +device=cuda >launches
        same_lines graph launches
    done
}

# Not grep -q, which would end doctor before it is done.
has_lt() {
    "$bin/katydid" doctor | grep '^cublaslt *ok' >/dev/null
}

# Products and convolutions that are small enough for our own kernels too.
ops_by_lt() {
    has_lt || skip "no cuBLASLt"
    KATYDID_CUBLASLT_FROM=1 "$folder/tests/test_ops_cuda" 'matmul*'
    KATYDID_CUBLASLT_FROM=1 "$folder/tests/test_ops_cuda" 'linear*'
    KATYDID_CUBLASLT_FROM=1 "$folder/tests/test_ops_cuda" 'conv2d*'
    export KATYDID_CUBLASLT_FROM=1
    graphs
    repeats
}

last_loss() {
    sed -n 's/.* val_loss=\([^ ]*\) .*/\1/p' "$1" | tail -n 1
}

# fp16, tf32 and bf16 train to nearly the same loss.
precisions() {
    . "$source_dir/tests/cuda/models.sh"
    has_lt || skip "no cuBLASLt"
    local precision
    export KATYDID_CUBLASLT_FROM=1
    train mlp.yaml +device=cuda >exact
    for precision in fp16 tf32 bf16; do
        train mlp.yaml +device=cuda +precision=$precision >rounded 2>err ||
            { grep -q 'needs a GPU of architecture' err && skip "$(cat err)"; cat err; return 1; }
        cat exact rounded
        if same_lines exact rounded; then echo "$precision rounds nothing" && return 1; fi
        awk -v a="$(last_loss exact)" -v b="$(last_loss rounded)" 'BEGIN { d = a - b; exit !(a > 0 && d * d < (0.02 * a) ^ 2) }'
    done
}

# Twice the same bits, since nothing is summed in an order of chance.
repeats() {
    . "$source_dir/tests/cuda/models.sh"
    train cnn.yaml +device=cuda >one
    train cnn.yaml +device=cuda >two
    same_lines one two
}

staged() {
    . "$source_dir/tests/cuda/models.sh"
    local zero
    train cnn.yaml +device=cuda >one
    for zero in 0 1; do
        CUDA_VISIBLE_DEVICES=0 mpirun -np 2 --oversubscribe --bind-to none "$bin/katydid-trainer" cnn.yaml +device=cuda +zero=$zero >two
        same_reports one two
    done
}

nccl() {
    . "$source_dir/tests/cuda/models.sh"
    local n
    n=$(n_gpus)
    [ "$n" -gt 1 ] || skip "one GPU: NCCL needs one for each rank"
    train mlp.yaml +device=cuda >one
    mpirun -np "$n" --oversubscribe --bind-to none "$bin/katydid-trainer" mlp.yaml +device=cuda +comm=nccl >all
    same_reports one all
}

gpu_memory() {
    nvidia-smi -i 0 --query-gpu=memory.used --format=csv,noheader,nounits
}

# A hundred trials of several shapes on one warm gang: what the last ones hold is not more than what the first ones did.
hundred_trials() {
    cat >hundred.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: hundred}
spec:
  objective: {type: minimize, objectiveMetricName: val_loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 100
  resources: {gpus: 1}
  parameters:
    - {name: units, parameterType: discrete, feasibleSpace: {list: [256, 512, 1024, 2048]}}
    - {name: lr, parameterType: double, feasibleSpace: {min: 0.001, max: 0.1}}
  trialTemplate:
    trainer:
      data: {format: synthetic, kind: features, shape: [784], classes: 10, samples: 20000, split: {val: 0.1}}
      model: [{linear: {units: "${units}"}}, relu, {linear: {units: 10}}]
      optimizer: {name: sgd, lr: "${lr}"}
      device: cuda
      batchSize: 256
      epochs: 4
YAML
    local before pid n early=0 late=0 used
    before=$(gpu_memory)
    KATYDID_DB=$PWD/hundred.db "$bin/katydid" run hundred.yaml >run.log 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        used=$(gpu_memory)
        n=$(sqlite3 hundred.db "SELECT count(*) FROM trials WHERE state = 'Succeeded'" 2>/dev/null || echo 0)
        if [ "$n" -gt 20 ] && [ "$n" -lt 50 ] && [ "$used" -gt "$early" ]; then early=$used; fi
        if [ "$n" -ge 70 ] && [ "$used" -gt "$late" ]; then late=$used; fi
    done
    wait "$pid" || { cat run.log && return 1; }
    echo "MiB: $before before, at most $early in trials 20 to 50, at most $late in the last thirty, $(gpu_memory) after"
    if [ "$early" = 0 ] || [ "$late" = 0 ]; then echo "it was over too soon to be measured" && return 1; fi
    [ "$late" -le $((early + 16)) ] && [ "$(gpu_memory)" -le $((before + 16)) ]
}

# A rank that is killed leaves nothing on the GPU, and its gang does not stay.
killed_rank() {
    . "$source_dir/tests/cuda/models.sh"
    local before launcher rank i
    before=$(gpu_memory)
    mpirun -np 2 --oversubscribe --bind-to none "$bin/katydid-trainer" mlp.yaml epochs=1000000 +device=cuda >/dev/null 2>&1 &
    launcher=$!
    for ((i = 0; i < 100; i++)); do
        [ "$(gpu_memory)" -gt $((before + 200)) ] && break
        sleep 0.2
    done
    rank=$(pgrep -P "$launcher" | head -n 1)
    kill -9 "$rank"
    wait "$launcher" && return 1
    for ((i = 0; i < 50; i++)); do
        [ "$(gpu_memory)" -le $((before + 16)) ] && return 0
        sleep 0.2
    done
    echo "MiB: $before before, $(gpu_memory) after"
    return 1
}

# ---- fast?

times() {
    KATYDID_BIN=$bin timeout 180 "${KATYDID_PEER_PYTHON:-python3}" "$source_dir/tests/bench/bench_gpu.py" | tee -a "$table"
}

# Each op and each model's step beside what this GPU reaches at best, with values of 32 bits and of 16.
rates() {
    say '```'
    local precision
    for precision in fp32 bf16; do
        timeout 60 "$bin/katydid-bench" ops --device cuda --precision $precision | tee -a "$table"
        timeout 60 "$bin/katydid-bench" step --device cuda --precision $precision | tee -a "$table"
    done
    say '```'
}

command -v nvidia-smi >/dev/null || { echo "gpu.sh: no nvidia-smi: this machine has no NVIDIA driver" >&2 && exit 2; }
command -v nvcc >/dev/null || PATH=$PATH:/usr/local/cuda/bin
command -v nvcc >/dev/null || { echo "gpu.sh: no nvcc: install NVIDIA's CUDA toolkit" >&2 && exit 2; }
describe
check "builds for this GPU" 300 build
if [ "$n_failed" -gt 0 ]; then
    say ""
    say "gpu.sh: it does not build here; nothing was checked"
    exit 1
fi
check "every op agrees with float64" 60 ops
check "products by cuBLASLt, small ones too" 60 ops_by_lt
check "fp16, tf32 and bf16 train like fp32" 60 precisions
for model in mlp cnn gpt; do
    check "losses of $model are the CPU's" 60 losses "$model"
done
check "graphs or launches, the same bits" 60 graphs
check "the same bits twice" 60 repeats
check "two ranks on one GPU, staged, are one rank" 60 staged
check "as many ranks as GPUs, by NCCL, are one rank" 60 nccl
check "memory stays in a hundred trials" 120 hundred_trials
check "a killed rank frees the GPU" 60 killed_rank
check "compute-sanitizer memcheck" 120 sanitizer memcheck
check "compute-sanitizer racecheck" 120 sanitizer racecheck 'batchnorm*'
say ""
times
say ""
rates
say ""
say "gpu.sh: $n_ok passed, $n_failed failed, $n_skipped skipped, $SECONDS s"
[ "$n_failed" = 0 ]
