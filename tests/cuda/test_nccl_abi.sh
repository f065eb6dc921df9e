#!/usr/bin/env bash
# test_nccl_abi.sh - kernels/cuda/nccl_abi.h, written from NCCL's documentation, has the numbers and the layout of a real nccl.h.
#
# Skipped (77) where there is no nccl.h with a CUDA toolkit.
set -eu

# shellcheck source=tests/cuda/toolkit.sh
. "$(dirname "${BASH_SOURCE[0]}")/toolkit.sh"

# compile CODE
compile() {
    printf '%s\n' '#include <stddef.h>' '#include <nccl.h>' '#include "kernels/cuda/nccl_abi.h"' "$1" >"$folder/x.c"
    "${CC:-cc}" -std=c11 -fsyntax-only -isystem "$toolkit/include" -I"$source_dir" "$folder/x.c"
}

compile '' 2>/dev/null || { echo "skipped: no nccl.h that this compiler takes"; exit 77; }

compile '
#define SAME(a, b) _Static_assert((long long)(a) == (long long)(b), #a " is not " #b)
#define SAME_PLACE(member)                                                                         \
    SAME(offsetof(struct kd_nccl_config, member), offsetof(ncclConfig_t, member))
SAME(KD_NCCL_SUCCESS, ncclSuccess);
SAME(KD_NCCL_UNHANDLED_CUDA_ERROR, ncclUnhandledCudaError);
SAME(KD_NCCL_SYSTEM_ERROR, ncclSystemError);
SAME(KD_NCCL_INTERNAL_ERROR, ncclInternalError);
SAME(KD_NCCL_INVALID_ARGUMENT, ncclInvalidArgument);
SAME(KD_NCCL_INVALID_USAGE, ncclInvalidUsage);
SAME(KD_NCCL_REMOTE_ERROR, ncclRemoteError);
SAME(KD_NCCL_IN_PROGRESS, ncclInProgress);
SAME(KD_NCCL_FLOAT, ncclFloat);
SAME(KD_NCCL_DOUBLE, ncclDouble);
SAME(KD_NCCL_SUM, ncclSum);
SAME(KD_NCCL_OLDEST, NCCL_VERSION(2, 18, 0));
SAME(KD_NCCL_CODE_OF_2_9, NCCL_VERSION(2, 9, 0));
SAME(KD_NCCL_CONFIG_VERSION, NCCL_VERSION(2, 14, 0));
SAME(sizeof(int), sizeof(ncclResult_t));
SAME(sizeof(int), sizeof(ncclDataType_t));
SAME(sizeof(int), sizeof(ncclRedOp_t));
SAME(sizeof(struct kd_collective_id), sizeof(ncclUniqueId));
SAME_PLACE(size);
SAME_PLACE(magic);
SAME_PLACE(version);
SAME_PLACE(blocking);
static const ncclConfig_t initial = NCCL_CONFIG_INITIALIZER;
const ncclConfig_t *kd_initial(void) { return &initial; }
'
# The one number that no constant expression has.
magic=$(sed -n 's/^#define KD_NCCL_CONFIG_MAGIC *\(0x[0-9a-f]*\)u$/\1/p' "$source_dir/kernels/cuda/nccl_abi.h")
header=$("${CC:-cc}" -M -isystem "$toolkit/include" -I"$source_dir" "$folder/x.c" | tr ' ' '\n' | grep '/nccl\.h$')
grep -q "^ *$magic, .*magic" "$header" || { echo "$magic is not the magic number of $header"; exit 1; }

if compile '_Static_assert(KD_NCCL_SUM == ncclProd, "planted");' 2>/dev/null; then
    echo "a planted difference was not found"
    exit 1
fi
echo "the same numbers as in $header"
