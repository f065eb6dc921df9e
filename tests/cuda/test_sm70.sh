#!/usr/bin/env bash
# test_sm70.sh - every .cu of kernels/cuda compiles for the V100 (sm_70), which nvcc 13 does not know any more.
#
# clang 19 makes PTX of it with the headers of any toolkit; CUDA 13 lacks one header that clang asks for and needs none of.
# Skipped (77) where clang 19 or the toolkit is not installed.
set -eu

# shellcheck source=tests/cuda/toolkit.sh
. "$(dirname "${BASH_SOURCE[0]}")/toolkit.sh"

find_clang() {
    local name
    for name in clang++-19 clang-19 clang++-20 clang-20; do
        command -v "$name" && return 0
    done
    return 1
}

clang=$(find_clang) || { echo "skipped: no clang 19 (Debian package clang-19)"; exit 77; }
: >"$folder/texture_fetch_functions.h"

# compile FILE
compile() {
    "$clang" -x cuda --cuda-gpu-arch=sm_70 --cuda-device-only --cuda-path="$toolkit" \
        -isystem "$toolkit/include/cccl" -I"$folder" -I"$source_dir" -Wno-unknown-cuda-version \
        -std=c++20 -D_GNU_SOURCE -O1 -S "$1" -o "$folder/ptx"
}

# A call that only newer GPUs have must not pass, or this test tests nothing.
cat >"$folder/planted.cu" <<'END'
#include <cuda_runtime.h>
__global__ void planted(unsigned *x) { *x = __reduce_add_sync(0xFFFFFFFFu, *x); }
END

n=0
for file in "$source_dir"/kernels/cuda/*.cu; do
    compile "$file" || { echo "not for sm_70: $file"; exit 1; }
    grep -q '^\.target sm_70' "$folder/ptx" || { echo "no PTX for sm_70: $file"; exit 1; }
    n=$((n + 1))
done
if compile "$folder/planted.cu" 2>/dev/null; then
    echo "what sm_70 lacks was not found"
    exit 1
fi
echo "$n files compile for sm_70 with $clang"
