#!/usr/bin/env bash
# gpu.sh - what only a machine with an NVIDIA GPU can tell: whether katydid is right there, and how fast, in under nine minutes.
#
#   tests/gpu.sh [OPTION...] [PART...]
#
# PART is `checks`, `times`, or names of their parts, with * ('losses_*'); all of it unless named. The cheap parts come first. What they say
# is added to gpu.md in the folder of results as soon as it is known, the words of what failed to failures.log, those of every check to
# checks.log; exit code 1 when something failed.
#
#   --built FOLDER     takes the programs of this build instead of building; of itself where this file lies in a kit (tests/gpu_kit.sh)
#   --build FOLDER     builds here (build-gpu): nvcc and the packages of the README are needed (tests/packages.sh)
#   --results FOLDER   default: the folder of the programs
#   --budget SECONDS   for all of it (530); what has no time left is named
#   --list             the parts, and what each says
#   --sim              a rehearsal without a GPU: on the sim of tests/cuda, tiny, with stand-ins of NVIDIA's programs
#
# What is missing (compute-sanitizer, a second GPU, cuBLASLt, PyTorch) is named, and what needs it skipped. The comparison needs
# KATYDID_PEER_PYTHON (default python3) with torch.
set -uo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
built='' build=$source_dir/build-gpu results='' budget=530 mode=run is_sim=false chosen=()
[ ! -x "$source_dir/bin/katydid-trainer" ] || built=$source_dir
n_ok=0 n_failed=0 n_skipped=0 n_left_out=0 running='' has_head=false ops_program=test_ops_cuda
cookie=gpu-$$-$RANDOM-$RANDOM
work=$(mktemp -d)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

give_up() {
    echo "gpu.sh: $*" >&2
    exit 2
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --built | --build | --results | --budget)
            [ $# -gt 1 ] || give_up "$1 needs a value"
            printf -v "${1#--}" %s "$2"
            [ "$1" != --build ] || built=''
            shift
            ;;
        --list) mode=list ;;
        --sim) is_sim=true ;;
        -*) give_up "$1 is no option: see the first lines of tests/gpu.sh" ;;
        *) chosen+=("$1") ;;
        esac
        shift
    done
    [[ $budget =~ ^[1-9][0-9]*$ ]] || give_up "--budget is \"$budget\", not a number of seconds"
}

# To the table, which somebody may read before all is over.
say() {
    echo "$*" | tee -a "$table"
}

# A row of the table of checks.
row() {
    if ! $has_head; then
        printf '\n| check | says | result | took |\n|---|---|---|---|\n' | tee -a "$table"
        has_head=true
    fi
    say "$@"
}

# ---- running things that may hang

# The processes that a part has left, however deep and in whatever group: those that inherited its cookie.
processes_left() {
    grep -lszxF "GPU_CHECK=$cookie" /proc/[0-9]*/environ | sed 's:/proc/\([0-9]*\)/.*:\1:'
}

end_processes() {
    local i pids
    for ((i = 0; i < 50; i++)); do
        pids=$(processes_left)
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086  # a list of numbers
        kill -9 $pids 2>/dev/null
        sleep 0.1
    done
    say "processes that cannot be killed: $(names_of "$pids")"
}

# Their names, on one line.
names_of() {
    local pid
    for pid in $1; do
        printf '%s (%s) ' "$(cat "/proc/$pid/comm" 2>/dev/null)" "$pid"
    done
}

# guarded SECONDS COMMAND...: in a group of its own, in the folder $work, stopped at its first error; when the time is over it is ended with
# all that it started. Exit status 124: the time was over; 125: it ended, and left processes behind for more than 5 s.
guarded() {
    local end=$((SECONDS + $1)) pid rc pids
    shift
    set -m
    (
        set +m
        cd "$work" || exit 1
        export GPU_CHECK=$cookie
        set -e
        "$@"
    ) </dev/null &
    pid=$!
    running=$pid
    set +m
    while kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $end ]; do
        sleep 0.05
    done
    if kill -0 "$pid" 2>/dev/null; then
        kill -9 -- "-$pid"
        { wait "$pid"; } 2>/dev/null
        running=
        end_processes
        echo "not done within its time"
        return 124
    fi
    wait "$pid"
    rc=$?
    running=
    end=$((SECONDS + 5))
    while pids=$(processes_left) && [ -n "$pids" ] && [ $SECONDS -lt $end ]; do
        sleep 0.1
    done
    [ -n "$pids" ] || return $rc
    echo "left behind: $(names_of "$pids")"
    end_processes
    [ $rc = 0 ] || return $rc
    return 125
}

finish() {
    [ -z "$running" ] || kill -9 -- "-$running" 2>/dev/null
    end_processes
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

is_chosen() { # NAME KIND
    local pattern
    for pattern in "${chosen[@]:-*}"; do
        # shellcheck disable=SC2053  # a pattern
        [[ $1 == $pattern || $2 == "$pattern" ]] && return 0
    done
    return 1
}

# Whether it is to be run now: else it is listed, not asked for, or the time is over.
is_due() { # NAME KIND WHAT
    if [ $mode = list ]; then
        printf '%-18s %-7s %s\n' "$1" "$2" "$3"
        return 1
    fi
    is_chosen "$1" "$2" || return 1
    if [ $((budget - SECONDS)) -lt 5 ]; then
        n_left_out=$((n_left_out + 1))
        row "| $1 | $3 | left out: the time is over | |"
        return 1
    fi
}

at_most() {
    echo $(($1 < budget - SECONDS ? $1 : budget - SECONDS))
}

# check NAME SECONDS WHAT COMMAND...: a row of the table. 77 is a check that was skipped, with the reason as its last line.
check() {
    local name=$1 limit=$2 what=$3 rc began=$SECONDS
    shift 3
    is_due "$name" checks "$what" || return 0
    rm -rf "${work:?}"/*
    guarded "$(at_most "$limit")" "$@" >"$work.log" 2>&1
    rc=$?
    case $rc in
    0) n_ok=$((n_ok + 1)) && row "| $name | $what | ok | $((SECONDS - began)) s |" ;;
    77) n_skipped=$((n_skipped + 1)) && row "| $name | $what | skipped: $(tail -n 1 "$work.log") | |" ;;
    *)
        n_failed=$((n_failed + 1))
        row "| $name | $what | FAILED ($rc) | $((SECONDS - began)) s |"
        tell_failure "$name ($rc)"
        ;;
    esac
    keep_log "$name ($rc)" checks.log
    rm -f "$work.log"
}

keep_log() { # TITLE FILE
    {
        echo "==== $1"
        tail -n 300 "$work.log"
    } >>"$results/$2"
}

tell_failure() { # TITLE
    keep_log "$1" failures.log
    tail -n 25 "$work.log"
}

# measure NAME SECONDS WHAT COMMAND...: what it prints goes into the table line by line.
measure() {
    local name=$1 limit=$2 what=$3 rc lines
    shift 3
    is_due "$name" times "$what" || return 0
    say ""
    say "## $name: $what"
    say ""
    lines=$(wc -l <"$table")
    guarded "$(at_most "$limit")" "$@" >>"$table" 2>"$work.log"
    rc=$?
    tail -n "+$((lines + 1))" "$table"
    if [ $rc != 0 ]; then
        n_failed=$((n_failed + 1))
        say "$name: FAILED ($rc) within $limit s: $(tail -n 1 "$work.log")"
        tell_failure "$name ($rc)"
    fi
    rm -f "$work.log"
}

skip() {
    echo "$*"
    exit 77
}

# ---- the machine

n_gpus() {
    nvidia-smi -L | grep -c '^GPU '
}

describe() {
    local version
    version=$(cat "$source_dir/version" 2>/dev/null || git -C "$source_dir" describe --always --dirty 2>/dev/null || echo 'no git')
    say "# katydid on a GPU: $(date -u +%F), $version"
    say ""
    nvidia-smi --query-gpu=index,name,driver_version,memory.total --format=csv,noheader | sed 's/^/- GPU /' | tee -a "$table"
    say "- $(nproc) CPU cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    say "- tests/gpu.sh ${chosen[*]}"
}

# What is needed here, of all that there is.
build_programs() {
    local generator=()
    command -v ninja >/dev/null && [ ! -f "$built/CMakeCache.txt" ] && generator=(-G Ninja)
    cmake -S "$source_dir" -B "$built" "${generator[@]}" -DKATYDID_CUDA=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DKATYDID_CUDA_ARCHITECTURES="$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | tr -d . | sort -u | paste -sd ';')"
    cmake --build "$built" -j "$(nproc)" --target katydid katydid-supervisor katydid-exec katydid-trainer katydid-bench katydid_cuda \
        test_ops_cuda
}

# NVIDIA's libraries may lie where the loader does not look: in the toolkit, or in PyTorch's packages. The first of the names that is there
# goes into the variable, unless the user has said something or the loader finds one.
find_library() { # VARIABLE NAME...
    local variable=$1 name folder packages
    shift
    [ -z "${!variable:-}" ] || return 0
    packages=$("${KATYDID_PEER_PYTHON:-python3}" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' 2>/dev/null)
    for name in "$@"; do
        ! ldconfig -p 2>/dev/null | grep -F "$name " >/dev/null || return 0
        for folder in ${LD_LIBRARY_PATH:+${LD_LIBRARY_PATH//:/ }}; do
            [ ! -e "$folder/$name" ] || return 0
        done
    done
    for name in "$@"; do
        for folder in /usr/local/cuda/lib64 /usr/local/cuda/targets/*/lib /usr/local/cuda-*/lib64 "$packages"/nvidia/*/lib; do
            if [ -e "$folder/$name" ]; then
                export "$variable=$folder/$name"
                say "- $variable=$folder/$name, which the loader does not find by itself"
                return 0
            fi
        done
    done
}

# The sim instead of the GPU, and stand-ins of NVIDIA's libraries and programs.
rehearse() {
    export KATYDID_CUDA_PLUGIN=$built/tests/libkatydid_cuda_sim.so KATYDID_NCCL=$built/tests/libnccl_standin.so
    export KATYDID_CUBLASLT=$built/tests/liblt_standin.so KATYDID_SIM_ARCHITECTURE=80
    export KATYDID_NVML=$built/tests/libnvml_standin.so NVML_STANDIN=single
    [ -e "$KATYDID_CUDA_PLUGIN" ] || give_up "$KATYDID_CUDA_PLUGIN is not there: this build has no sim (it needs a C++ compiler)"
    ops_program=test_ops_sim
    say "- A REHEARSAL on the sim: no figure means anything."
}

# ---- right?

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

# ---- fast?

# What is left is for the rates, which are behind it.
against() {
    local limit=$(($1 - 10)) rows=() python=${KATYDID_PEER_PYTHON:-python3}
    command -v "$python" >/dev/null || { echo "no $python: KATYDID_PEER_PYTHON names a Python with torch" >&2 && return 1; }
    if $is_sim; then rows=(--quick mlp warm search); fi
    KATYDID_BIN=$bin PYTHONDONTWRITEBYTECODE=1 "$python" -u "$source_dir/tests/bench/bench_gpu.py" --limit "$limit" "${rows[@]}"
}

# Beside what this GPU reaches at best.
rates() { # COMMAND PRECISION
    local quick=()
    if $is_sim; then
        quick=(--quick mlp-small)
        [ "$1" = step ] || quick=(--quick activation)
    fi
    echo '```'
    "$bin/katydid-bench" "$1" --device cuda --precision "$2" "${quick[@]}"
    echo '```'
}

all_times() {
    local left=$((budget - SECONDS - 100))
    [ $left -gt 60 ] || left=60
    measure against "$left" "training and search against PyTorch on the same GPU" against "$left"
    measure step_bf16 60 "steps of models, values of 16 bits" rates step bf16
    measure step_fp32 60 "steps of models, values of 32 bits" rates step fp32
    measure ops_bf16 60 "each op, values of 16 bits" rates ops bf16
    measure ops_fp32 60 "each op, values of 32 bits" rates ops fp32
}

# Every word that chooses parts chooses one.
check_names() {
    local pattern name kind found
    for pattern in "${chosen[@]}"; do
        found=false
        while read -r name kind _; do
            # shellcheck disable=SC2053  # a pattern
            [[ $name == $pattern || $kind == "$pattern" ]] && found=true
        done <<<"$1"
        $found || give_up "$pattern is no part; tests/gpu.sh --list names them"
    done
}

read_options "$@"
wanted=$mode
mode=list
parts=$(all_checks && all_times)
check_names "$parts"
mode=$wanted
[ $mode = run ] || { echo "$parts" && exit 0; }

# The programs of a build that is there, or of one that is made now; its words are kept when it fails.
prepare_programs() {
    bin=$built/bin
    if [ -z "$build_here" ]; then
        [ -x "$bin/katydid-trainer" ] || give_up "$built has no bin/katydid-trainer: it is no build with the trainer"
        return 0
    fi
    guarded "$budget" build_programs >"$work.log" 2>&1
    local rc=$?
    [ $rc != 0 ] || return 0
    say "gpu.sh: it does not build here; nothing was checked"
    tell_failure "build ($rc)"
    exit 1
}

! $is_sim || PATH=$source_dir/tests/cuda/standin:$PATH
PATH=$PATH:/sbin:/usr/sbin:/usr/local/cuda/bin
command -v nvidia-smi >/dev/null || give_up "no nvidia-smi: this machine has no NVIDIA driver (--sim rehearses without)"
build_here=''
if [ -z "$built" ]; then
    command -v nvcc >/dev/null || give_up "no nvcc: install NVIDIA's CUDA toolkit, or bring a build (tests/gpu_kit.sh)"
    mkdir -p "$build"
    build_here=yes built=$build
fi
built=$(cd "$built" && pwd) || exit 2
mkdir -p "${results:=$built}"
results=$(cd "$results" && pwd) || exit 2
table=$results/gpu.md
PATH=$built/bin:$PATH
describe
prepare_programs
! $is_sim || rehearse
find_library KATYDID_CUBLASLT libcublasLt.so.13 libcublasLt.so.12
find_library KATYDID_NCCL libnccl.so.2
all_checks
all_times
say ""
say "gpu.sh: $n_ok passed, $n_failed failed, $n_skipped skipped, $n_left_out left out for time, $SECONDS s"
[ $n_failed = 0 ]
