# shellcheck shell=bash disable=SC2034  # variables are for who sources this
# toolkit.sh - a folder of the test's own, removed at its end, and the CUDA toolkit; the test is skipped (77) where there is none.
# Sets $source_dir, $folder and $toolkit.
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

find_toolkit() {
    local home
    for home in "${CUDA_HOME:-}" "${CUDA_PATH:-}" /usr/local/cuda /opt/cuda; do
        if [ -n "$home" ] && [ -f "$home/include/cuda_runtime.h" ]; then
            echo "$home"
            return 0
        fi
    done
    return 1
}

toolkit=$(find_toolkit) || { echo "skipped: no CUDA toolkit in CUDA_HOME or /usr/local/cuda"; exit 77; }
