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
# shellcheck source=tests/guarded.sh
. "$source_dir/tests/guarded.sh"
# shellcheck source=tests/gpu_checks.sh
. "$source_dir/tests/gpu_checks.sh"
built='' build=$source_dir/build-gpu results='' budget=530 mode=run is_sim=false chosen=()
[ ! -x "$source_dir/bin/katydid-trainer" ] || built=$source_dir
n_ok=0 n_failed=0 n_skipped=0 n_left_out=0 has_head=false ops_program=test_ops_cuda
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
