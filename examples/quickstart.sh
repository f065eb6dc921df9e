#!/usr/bin/env bash
# quickstart.sh - from a fresh Debian 12 or Ubuntu 22.04 (or newer) to a tuned model, in one command.
#
# Installs the packages that the build needs (root or sudo; nothing when they are there), builds into build/, tunes
# examples/digits in a folder of its own and prints the best trial. Run it again as often as you like. Takes no argument;
# KATYDID_BUILD_DIR builds elsewhere.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=${KATYDID_BUILD_DIR:-$source_dir/build}
# shellcheck source=tests/packages.sh
. "$source_dir/tests/packages.sh"

step="the start"
finish() {
    local rc=$?
    [ -z "${work_dir:-}" ] || rm -rf "$work_dir"
    if [ $rc = 0 ]; then
        echo "SUCCESS: katydid is built in $build_dir/bin and has tuned examples/digits."
    else
        echo "FAILURE: $step did not work (exit $rc); the lines above say why."
    fi
    exit $rc
}
trap finish EXIT

if [ $# != 0 ]; then
    step="reading the arguments (quickstart.sh takes none)"
    exit 2
fi

step="installing packages"
# shellcheck disable=SC2086  # a list of words
kd_install_packages "the build" $KD_BUILD_PACKAGES

step="configuring the build"
options=()
if [ ! -f "$build_dir/CMakeCache.txt" ]; then # a build that is there keeps its options
    options=(-DKATYDID_TESTS=OFF -DKATYDID_CUDA=OFF) # the trainer does not load the CUDA device yet
    command -v ninja >/dev/null && options+=(-G Ninja)
fi
cmake -S "$source_dir" -B "$build_dir" "${options[@]}"

step="building"
cmake --build "$build_dir" --parallel "$(nproc)"

step="tuning examples/digits"
work_dir=$(mktemp -d)
database=$work_dir/digits.db
echo "Tuning examples/digits: 40 trials, two at a time."
"$build_dir/bin/katydid" run --db "$database" "$source_dir/examples/digits/digits.yaml" </dev/null

step="printing the best trial"
echo
"$build_dir/bin/katydid" best --db "$database"
