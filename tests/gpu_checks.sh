# shellcheck shell=bash
# gpu_checks.sh - what gpu.sh checks: a function each, which runs in a folder of its own, stops at its first error, and says on stdout what
# it saw. Sourced, not run.
# shellcheck disable=SC2154  # bin, built, source_dir, results, is_sim, ops_program are gpu.sh's

# What the machine has; kept in the results whatever it says.
doctor() {
    local status=0
    "$bin/katydid" doctor >doctor.txt || status=$?
    cat doctor.txt
    { echo '```' && cat doctor.txt && echo '```'; } >"$results/doctor.md"
    grep '^gpu *ok' doctor.txt && grep '^cuda plugin *ok' doctor.txt && return $status
}

# 77, no GPU to be used, is nothing that may be skipped here.
ops() {
    local status=0
    "$built/tests/$ops_program" || status=$?
    [ $status != 77 ] || status=1
    return $status
}

train() {
    "$bin/katydid-trainer" "$@"
}

ranks() { # N ARGUMENT...
    mpirun -np "$1" --oversubscribe --bind-to none "$bin/katydid-trainer" "${@:2}"
}

models() {
    # shellcheck source=tests/cuda/models.sh
    . "$source_dir/tests/cuda/models.sh"
}

# The losses of a model are those of the CPU.
losses() {
    models
    train "$1.yaml" +device=cpu >cpu
    train "$1.yaml" +device=cuda >gpu
    paste -d '\n' cpu gpu
    same_reports cpu gpu
}

graphs() {
    models
    local model
    for model in mlp cnn gpt; do
        train "$model.yaml" +device=cuda >graph
        KATYDID_CUDA_GRAPH=0 train "$model.yaml" +device=cuda >launches
        paste -d '\n' graph launches
        same_lines graph launches
    done
}

# A report without what the run before it and the time said.
reports() {
    sed -n 's/^epoch=\([0-9]*\) train_loss=\([^ ]*\).*val_loss=\([^ ]*\) .*/\1 \2 \3/p' "$1"
}

resumes() {
    models
    train mlp.yaml +device=cuda epochs=4 --checkpoint-dir whole >whole.out
    train mlp.yaml +device=cuda epochs=4 --until 2 --checkpoint-dir half >half.out
    train mlp.yaml +device=cuda epochs=4 --checkpoint-dir half >half.out
    cat whole.out half.out
    [ "$(reports whole.out)" = "$(reports half.out)" ]
}

# Twice the same bits, since nothing is summed in an order of chance.
repeats() {
    models
    train cnn.yaml +device=cuda >one
    train cnn.yaml +device=cuda >two
    paste -d '\n' one two
    same_lines one two
}

# Not piped: grep -q would end doctor before it is done, and a doctor that finds something bad elsewhere would be no answer.
has_lt() {
    "$bin/katydid" doctor >doctor.txt || true
    grep -q '^cublaslt *ok' doctor.txt
}

# Products and convolutions that are small enough for our own kernels too.
products() {
    local op
    has_lt || skip "no cuBLASLt"
    export KATYDID_CUBLASLT_FROM=1
    for op in matmul linear conv2d; do
        "$built/tests/$ops_program" "$op*"
    done
    graphs
    repeats
}

last_loss() {
    sed -n 's/.* val_loss=\([^ ]*\) .*/\1/p' "$1" | tail -n 1
}

# Each precision rounds something, and trains to nearly the same loss.
precisions_of() { # MODEL PRECISION...
    local precision model=$1
    shift
    train "$model.yaml" +device=cuda >exact
    for precision in "$@"; do
        train "$model.yaml" +device=cuda "+precision=$precision" >rounded 2>err ||
            { grep -q 'needs a GPU of architecture' err && skip "$(cat err)"; cat err; return 1; }
        echo "$model: fp32, then $precision"
        cat exact rounded
        if same_lines exact rounded; then echo "$precision rounds nothing" && return 1; fi
        awk -v a="$(last_loss exact)" -v b="$(last_loss rounded)" 'BEGIN { d = a - b; exit !(a > 0 && d * d < (0.02 * a) ^ 2) }'
    done
}

precisions() {
    models
    has_lt || skip "no cuBLASLt"
    export KATYDID_CUBLASLT_FROM=1
    precisions_of mlp fp16 tf32 bf16
    precisions_of gpt fp16 tf32 bf16
}

# The same by our own kernels alone, which have no tf32.
tiles() {
    models
    export KATYDID_CUBLASLT=/nonexistent
    precisions_of mlp fp16 bf16
    precisions_of cnn fp16 bf16
    precisions_of gpt fp16 bf16
}

staged() {
    models
    local zero
    train cnn.yaml +device=cuda >one
    for zero in 0 1; do
        CUDA_VISIBLE_DEVICES=0 ranks 2 cnn.yaml +device=cuda "+zero=$zero" >two
        paste -d '\n' one two
        same_reports one two
    done
}

nccl() {
    models
    local n
    n=$(n_gpus)
    [ "$n" -gt 1 ] || skip "one GPU: NCCL needs one for each rank"
    train mlp.yaml +device=cuda >one
    ranks "$n" mlp.yaml +device=cuda +comm=nccl >all
    paste -d '\n' one all
    same_reports one all
}

# A whole search by its users' way: the warm gang, the database, the GPU that the trial is given.
# shellcheck disable=SC2016  # ${lr} is katydid's, not the shell's
search() {
    {
        cat <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: search}
spec:
  objective: {type: minimize, objectiveMetricName: val_loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 6
  resources: {gpus: 1}
  parameters: [{name: lr, parameterType: double, feasibleSpace: {min: 0.01, max: 0.02}}]
  trialTemplate:
    trainer:
      device: cuda
YAML
        models
        sed -e 's/lr: 0.02/lr: "${lr}"/' -e 's/^/      /' mlp.yaml
    } >search.yaml
    export KATYDID_DB=$PWD/search.db
    "$bin/katydid" run search.yaml
    "$bin/katydid" trials
    "$bin/katydid" fsck
    "$bin/katydid" replay
}

gpu_memory() {
    local mib
    mib=$(nvidia-smi -i 0 --query-gpu=memory.used --format=csv,noheader,nounits) || mib=nothing
    [[ $mib =~ ^[0-9]+$ ]] || { echo "nvidia-smi does not say how much memory is used: $mib" >&2 && return 1; }
    echo "$mib"
}

# Whether the GPU is as it was, within 10 s: the driver takes its time. It may keep a little.
is_free_again() { # MIB_BEFORE
    local end=$((SECONDS + 10)) now
    while now=$(gpu_memory); do
        echo "MiB: $1 before, $now now"
        [ "$now" -gt $(($1 + 32)) ] || return 0
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
    return 1
}

# A hundred trials of several shapes on one warm gang: what the last ones hold is not more than what the first ones did. How far it is, is
# read from what the run says; trials are long enough for the memory to be read more than once in each third.
hundred_trials() {
    local units='[256, 512, 1024, 2048]' samples=20000 epochs=40 trials=100
    if $is_sim; then units='[4, 8]' samples=400 epochs=1; fi
    cat >hundred.yaml <<YAML
apiVersion: katydid/v1
kind: Experiment
metadata: {name: hundred}
spec:
  objective: {type: minimize, objectiveMetricName: val_loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: $trials
  resources: {gpus: 1}
  parameters:
    - {name: units, parameterType: discrete, feasibleSpace: {list: $units}}
    - {name: lr, parameterType: double, feasibleSpace: {min: 0.001, max: 0.1}}
  trialTemplate:
    trainer:
      data: {format: synthetic, kind: features, shape: [784], classes: 10, samples: $samples, split: {val: 0.1}}
      model: [{linear: {units: "\${units}"}}, relu, {linear: {units: 10}}]
      optimizer: {name: sgd, lr: "\${lr}"}
      device: cuda
      batchSize: 256
      epochs: $epochs
YAML
    local before pid n early=0 late=0 used
    before=$(gpu_memory) || skip "nvidia-smi does not say how much memory is used"
    KATYDID_DB=$PWD/hundred.db "$bin/katydid" run hundred.yaml >run.log 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        used=$(gpu_memory)
        n=$(grep -c 'Succeeded: ' run.log || true)
        if [ "$n" -ge 20 ] && [ "$n" -lt 50 ] && [ "$used" -gt "$early" ]; then early=$used; fi
        if [ "$n" -ge 70 ] && [ "$n" -lt 100 ] && [ "$used" -gt "$late" ]; then late=$used; fi
        sleep 0.02
    done
    wait "$pid" || { cat run.log && return 1; }
    tail -n 3 run.log
    echo "MiB: $before before, at most $early in trials 20 to 50, at most $late in the last thirty"
    if [ "$early" = 0 ] || [ "$late" = 0 ]; then echo "it was over too soon to be measured" && return 1; fi
    [ "$late" -le $((early + 32)) ] && is_free_again "$before"
}

# The processes of that name whose parent is PID; pgrep is not everywhere.
children_of() { # PID NAME
    local status
    for status in /proc/[0-9]*/status; do
        awk -v parent="$1" -v name="$2" '$1 == "Name:" && $2 != name { exit }
            $1 == "Pid:" { pid = $2 } $1 == "PPid:" && $2 == parent { print pid; exit }' "$status" 2>/dev/null || true
    done
}

# A rank that is killed leaves nothing on the GPU, and its gang does not stay.
killed_rank() {
    models
    local before launcher rank end=$((SECONDS + 30))
    before=$(gpu_memory) || skip "nvidia-smi does not say how much memory is used"
    mpirun -np 2 --oversubscribe --bind-to none "$bin/katydid-trainer" mlp.yaml epochs=1000000 +device=cuda >out 2>err &
    launcher=$!
    until grep -q '^epoch=' out && [ "$(gpu_memory)" -gt $((before + 200)) ]; do
        kill -0 "$launcher" 2>/dev/null || { cat err && return 1; }
        [ $SECONDS -lt $end ] || { echo "no report, or no memory in use, after 30 s" && cat err && return 1; }
        sleep 0.2
    done
    rank=$(children_of "$launcher" katydid-trainer | head -n 1)
    [ -n "$rank" ] || { echo "no rank is a child of mpirun" && cat err && return 1; }
    kill -9 "$rank"
    if wait "$launcher"; then echo "mpirun says that all is well" && return 1; fi
    is_free_again "$before"
}

# sanitized TOOL COMMAND...: it may be too slow to be done in time, which is no failure when it had found nothing yet.
sanitized() {
    local tool=$1 status=0
    shift
    command -v compute-sanitizer >/dev/null || skip "no compute-sanitizer"
    timeout -k 5 "$sanitizer_s" compute-sanitizer --tool "$tool" --error-exitcode 9 "$@" >said 2>&1 || status=$?
    tail -n 200 said
    ! grep -i 'device not supported' said || skip "compute-sanitizer does not work on this machine: device not supported"
    if [ $status = 124 ] || [ $status = 137 ]; then
        ! grep -E '^========= .*(Invalid|hazard|error|leak|Barrier)' said || return 1
        skip "not done within $sanitizer_s s, nothing found until then"
    fi
    return $status
}

# A training of a few steps, by launches, which the tool tells apart better than graphs.
sanitized_model() { # TOOL MODEL ARGUMENT...
    models
    KATYDID_CUDA_GRAPH=0 sanitized "$1" "$bin/katydid-trainer" "$2.yaml" +device=cuda epochs=1 "${@:3}"
}

sanitized_tiles() { # TOOL
    export KATYDID_CUBLASLT=/nonexistent
    sanitized_model "$1" gpt +precision=bf16
}

sanitized_op() { # TOOL OP
    sanitized "$1" "$built/tests/$ops_program" "$2*"
}

readonly sanitizer_s=55

all_checks() {
    local model op
    check doctor 60 "the GPU, the driver and the plugin are there" doctor
    for model in mlp cnn gpt; do
        check "losses_$model" 60 "losses of $model are the CPU's" losses "$model"
    done
    check ops 90 "every op agrees with float64" ops
    check repeats 60 "the same bits twice" repeats
    check graphs 60 "graphs or launches, the same bits" graphs
    check resumes 60 "a checkpoint goes on to the same bits" resumes
    check tiles 60 "fp16 and bf16 train like fp32, by our own kernels" tiles
    check precisions 60 "fp16, tf32 and bf16 train like fp32, by cuBLASLt" precisions
    check products 90 "products by cuBLASLt, small ones too" products
    check search 60 "a search of six trials, its database and its replay" search
    check staged 60 "two ranks on one GPU, staged, are one rank" staged
    check nccl 60 "as many ranks as GPUs, by NCCL, are one rank" nccl
    check killed_rank 60 "a killed rank frees the GPU" killed_rank
    check hundred_trials 120 "memory stays in a hundred trials" hundred_trials
    for model in mlp cnn gpt; do
        check "memcheck_$model" 60 "compute-sanitizer memcheck, $model" sanitized_model memcheck "$model"
    done
    check memcheck_tiles 60 "compute-sanitizer memcheck, gpt in bf16 by our own kernels" sanitized_tiles memcheck
    check racecheck_tiles 60 "compute-sanitizer racecheck, gpt in bf16 by our own kernels" sanitized_tiles racecheck
    check racecheck_cnn 60 "compute-sanitizer racecheck, cnn" sanitized_model racecheck cnn
    check synccheck_gpt 60 "compute-sanitizer synccheck, gpt" sanitized_model synccheck gpt
    for op in attention layernorm cross_entropy batchnorm; do
        check "racecheck_$op" 60 "compute-sanitizer racecheck, all shapes of $op" sanitized_op racecheck "$op"
    done
}
