#!/usr/bin/env bash
# run.sh - runs every benchmark and prints a table. No test: nothing here is asserted, and the machine should be idle.
#
#   tests/bench/run.sh             builds into build-bench/ (RelWithDebInfo, as users get it) and runs all
#   tests/bench/run.sh noop 10000    one of them, with its arguments
#   tests/bench/run.sh search tpe    a command of katydid-bench: search and stoppers (tests/bench/search/README.md), ops, step, allreduce
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_dir=$source_dir/build-bench
export KATYDID_BIN=$build_dir/bin OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# The commands of katydid-bench, and what they compare when nothing is said.
declare -A bench_defaults=([search]=auto [stoppers]="asha,bohb" [ops]="*" [step]="*" [allreduce]="*")

build() {
    local generator=()
    if [ ! -f "$build_dir/CMakeCache.txt" ] && command -v ninja >/dev/null; then
        generator=(-G Ninja)
    fi
    cmake -S "$source_dir" -B "$build_dir" "${generator[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
    cmake --build "$build_dir" --parallel "$(nproc)" --target all bench >"$build_dir/build.log" ||
        { tail -n 40 "$build_dir/build.log" && exit 1; }
}

# peer_<name>.py does the same work with what people use today; it says so itself when that is not installed.
run_peer() {
    local peer=$source_dir/tests/bench/peer_$1.py
    [ ! -f "$peer" ] || python3 "$peer"
}

run_one() {
    local name=$1
    shift
    if [ -n "${bench_defaults[$name]:-}" ]; then
        [ $# -gt 0 ] || set -- "${bench_defaults[$name]}"
        "$build_dir/bin/katydid-bench" "$name" "$@"
    elif [ -x "$build_dir/bench/bench_$name" ]; then
        "$build_dir/bench/bench_$name" "$@"
        run_peer "$name"
    else
        python3 "$source_dir/tests/bench/bench_$name.py" "$@"
    fi
}

all_names() {
    local file
    for file in "$source_dir"/tests/bench/bench_*.{c,py}; do
        [ -e "$file" ] || continue
        file=${file##*/bench_}
        # Against PyTorch on a GPU, where there is one.
        [ "$file" != gpu.py ] || command -v nvidia-smi >/dev/null || continue
        echo "${file%.*}"
    done
    printf '%s\n' search ops step allreduce
}

build
if [ $# -gt 0 ]; then
    run_one "$@"
    exit
fi
echo "katydid benchmarks: $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg)"
failed=0
for name in $(all_names); do
    echo "-- $name"
    run_one "$name" || { echo "bench_$name did not run"; failed=1; }
done
exit $failed
