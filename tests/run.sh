#!/usr/bin/env bash
# run.sh - the whole test suite: installs what it needs, builds five ways, runs every test. .ci/run calls exactly this.
#
#   tests/run.sh                       under ten minutes on two cores
#   KATYDID_TEST_LONG=1 tests/run.sh   the long forms too: 200 kills of the coordinator, a minute per fuzz target
#
# Builds into build-test/: gcc (every test), sanitize (every test again under ASan and UBSan), clang (fuzz targets and
# their corpora), coordinator (no MPI, no oneDNN: builds and starts), quickstart (what a user runs first). Uses ccache
# where it is installed. One test again:
#   ctest --test-dir build-test/gcc -R NAME --output-on-failure
set -uo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
builds=$source_dir/build-test
passed=0
failed=0
skipped=0
failures=()
# shellcheck source=tests/packages.sh
. "$source_dir/tests/packages.sh"

# CI runs as root; mpirun wants to hear that this is meant.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export CTEST_OUTPUT_ON_FAILURE=1

note() {
    printf '[%4d s] %s\n' "$SECONDS" "$*"
}

pass() {
    passed=$((passed + $1))
}

fail() {
    failed=$((failed + $1))
    failures+=("$2")
    note "FAILED: $2"
}

# run_step NAME COMMAND...: one check; its output is shown when it fails.
run_step() {
    local name=$1 log=$builds/step.log
    shift
    if "$@" >"$log" 2>&1 </dev/null; then
        pass 1
        note "ok: $name"
    else
        tail -n 80 "$log"
        fail 1 "$name"
        return 1
    fi
}

# build_tree NAME OPTION...: configures and builds build-test/NAME with warnings as errors.
build_tree() {
    local folder=$builds/$1 options=(-DKATYDID_DEV=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo)
    shift
    if [ ! -f "$folder/CMakeCache.txt" ]; then
        command -v ninja >/dev/null && options+=(-G Ninja)
        command -v ccache >/dev/null && options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    cmake -S "$source_dir" -B "$folder" "${options[@]}" "$@" &&
        cmake --build "$folder" --parallel "$(nproc)"
}

# run_tests NAME [ctest option...]: adds what ctest counted.
run_tests() {
    local name=$1 log=$builds/$1-tests.log summary lost unmet total rc
    shift
    ctest --test-dir "$builds/$name" --no-tests=error --parallel "$(nproc)" "$@" </dev/null >"$log" 2>&1
    rc=$?
    summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+' "$log")
    if [ -z "$summary" ]; then
        tail -n 40 "$log"
        fail 1 "$name: ctest gave no summary"
        return
    fi
    lost=$(sed -E 's/.*passed, ([0-9]+) .*/\1/' <<<"$summary")
    total=${summary##* }
    unmet=$(grep -c '\*\*\*Skipped' "$log")
    skipped=$((skipped + unmet))
    pass $((total - lost - unmet))
    note "$name: $((total - lost - unmet)) of $total tests passed, $unmet skipped"
    if [ "$rc" != 0 ] || [ "$lost" != 0 ]; then
        cat "$log"
        fail "$lost" "$name: $(failed_tests "$log")"
    fi
}

failed_tests() {
    sed -n '/^The following tests FAILED/,$p' "$1" | awk '$2 == "-" { printf "%s ", $3 }'
}

# Other versions of clang-format lay some lines out differently: only the one that Debian 12 has is asked.
check_format() {
    clang-format --version | grep -q ' 14\.' || { echo "not clang-format 14: not checked"; return 0; }
    find "$source_dir"/{search,kernels,coordinator,trainer,tests,examples} \
        \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
        xargs -0 clang-format --dry-run --Werror
}

check_shell() {
    find "$source_dir"/{tests,examples,.ci} -type f \( -name '*.sh' -o -path '*/.ci/run' \) -print0 |
        xargs -0 shellcheck -x --source-path="$source_dir"
}

fuzz_one() {
    local program=$1 name seconds=()
    name=$(basename "$program" | sed 's/^fuzz_//')
    mkdir -p "$builds/fuzz/$name" "$builds/fuzz/found"
    # A fixed seed: a run of this suite tells the same each time. The long form looks for something new.
    if [ -n "${KATYDID_TEST_LONG:-}" ]; then
        seconds=(-max_total_time=60)
    else
        seconds=(-seed=1 -runs=5000 -max_total_time=20)
    fi
    ASAN_OPTIONS=fast_unwind_on_malloc=0 "$program" "${seconds[@]}" -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$builds/fuzz/found/$name-" "$builds/fuzz/$name" "$source_dir/tests/fuzz/corpus/$name"
}

run_fuzzers() {
    local program
    for program in "$builds"/clang/fuzz/fuzz_*; do
        [ -x "$program" ] && run_step "$(basename "$program")" fuzz_one "$program"
    done
}

run_checks() {
    run_step "boundaries" "$source_dir/tests/boundaries.sh"
    command -v clang-format >/dev/null && run_step "clang-format" check_format
    command -v shellcheck >/dev/null && run_step "shellcheck" check_shell
}

run_builds() {
    # Where nvcc is installed also the CUDA plugin, for two architectures: code that is of one only would be a gate of its own.
    if run_step "build: gcc" build_tree gcc "-DKATYDID_CUDA_ARCHITECTURES=75;90"; then
        run_step "build: benchmarks" cmake --build "$builds/gcc" --target bench --parallel "$(nproc)"
        run_tests gcc
    fi
    run_step "build: ASan and UBSan" build_tree sanitize -DKATYDID_SANITIZE=ON && run_tests sanitize
    if run_step "build: clang and fuzz targets" build_tree clang -DCMAKE_C_COMPILER=clang -DKATYDID_FUZZ=ON; then
        run_tests clang -L fuzz
        run_fuzzers
    fi
    run_step "build: coordinator alone" build_tree coordinator -DKATYDID_TRAINER=OFF -DKATYDID_TESTS=OFF &&
        run_step "coordinator alone: katydid version" "$builds/coordinator/bin/katydid" version
    KATYDID_BUILD_DIR=$builds/quickstart run_step "examples/quickstart.sh" "$source_dir/examples/quickstart.sh"
}

report() {
    local failure
    for failure in "${failures[@]}"; do
        echo "failed: $failure"
    done
    [ "$skipped" = 0 ] || echo "$skipped skipped: what they need is not on this machine (see build-test/*-tests.log)"
    echo "$passed passed, $failed failed"
    if [ "$failed" = 0 ] && [ "$passed" -gt 0 ]; then
        echo "SUCCESS: every test passed in $SECONDS s."
    else
        echo "FAILURE: not everything passed; the lines above say what."
        return 1
    fi
}

if [ $# != 0 ]; then
    echo "tests/run.sh takes no arguments; KATYDID_TEST_LONG=1 asks for the long forms." >&2
    exit 2
fi
mkdir -p "$builds"
# shellcheck disable=SC2086  # lists of words
if kd_install_packages "the test suite" $KD_BUILD_PACKAGES $KD_TEST_PACKAGES; then
    run_checks
    run_builds
else
    fail 1 "installing packages"
fi
report
