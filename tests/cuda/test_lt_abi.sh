#!/usr/bin/env bash
# test_lt_abi.sh - kernels/cuda/lt_abi.h and lt_calls.def, written from cuBLASLt's documentation, have the numbers, the layouts and the
# parameters of a real cublasLt.h.
#
# Skipped (77) where there is no cublasLt.h with a CUDA toolkit.
set -eu

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

# compile CODE
compile() {
    printf '%s\n' '#include <stddef.h>' '#include <cublasLt.h>' '#include "kernels/cuda/lt_abi.h"' "$1" >"$folder/x.c"
    "${CC:-cc}" -std=c11 -fsyntax-only -isystem "$toolkit/include" -I"$source_dir" "$folder/x.c"
}

compile '' 2>/dev/null || { echo "skipped: no cublasLt.h that this compiler takes"; exit 77; }

compile '
#define SAME(a, b) _Static_assert((long long)(a) == (long long)(b), #a " is not " #b)
#define SAME_PLACE(ours, theirs)                                                                   \
    SAME(offsetof(struct kd_lt_result, ours), offsetof(cublasLtMatmulHeuristicResult_t, theirs))
SAME(KD_LT_SUCCESS, CUBLAS_STATUS_SUCCESS);
SAME(KD_LT_NOT_INITIALIZED, CUBLAS_STATUS_NOT_INITIALIZED);
SAME(KD_LT_ALLOC_FAILED, CUBLAS_STATUS_ALLOC_FAILED);
SAME(KD_LT_INVALID_VALUE, CUBLAS_STATUS_INVALID_VALUE);
SAME(KD_LT_ARCH_MISMATCH, CUBLAS_STATUS_ARCH_MISMATCH);
SAME(KD_LT_EXECUTION_FAILED, CUBLAS_STATUS_EXECUTION_FAILED);
SAME(KD_LT_NOT_SUPPORTED, CUBLAS_STATUS_NOT_SUPPORTED);
SAME(KD_LT_R_32F, CUDA_R_32F);
SAME(KD_LT_OP_N, CUBLAS_OP_N);
SAME(KD_LT_OP_T, CUBLAS_OP_T);
SAME(KD_LT_COMPUTE_32F, CUBLAS_COMPUTE_32F);
SAME(KD_LT_COMPUTE_32F_FAST_16F, CUBLAS_COMPUTE_32F_FAST_16F);
SAME(KD_LT_COMPUTE_32F_FAST_16BF, CUBLAS_COMPUTE_32F_FAST_16BF);
SAME(KD_LT_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_32F_FAST_TF32);
SAME(KD_LT_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSA);
SAME(KD_LT_DESC_TRANSB, CUBLASLT_MATMUL_DESC_TRANSB);
SAME(KD_LT_DESC_EPILOGUE, CUBLASLT_MATMUL_DESC_EPILOGUE);
SAME(KD_LT_DESC_BIAS_POINTER, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
SAME(KD_LT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_DEFAULT);
SAME(KD_LT_EPILOGUE_RELU, CUBLASLT_EPILOGUE_RELU);
SAME(KD_LT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_BIAS);
SAME(KD_LT_EPILOGUE_RELU | KD_LT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS);
SAME(KD_LT_PREFERENCE_WORKSPACE, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(KD_LT_PREFERENCE_REDUCTION, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
SAME(KD_LT_PREFERENCE_ALIGNMENT_A, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
SAME(KD_LT_PREFERENCE_ALIGNMENT_B, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
SAME(KD_LT_PREFERENCE_ALIGNMENT_C, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
SAME(KD_LT_PREFERENCE_ALIGNMENT_D, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
SAME(KD_LT_REDUCTION_NONE, CUBLASLT_REDUCTION_SCHEME_NONE);
SAME(KD_LT_REDUCTION_INPLACE, CUBLASLT_REDUCTION_SCHEME_INPLACE);
SAME(KD_LT_REDUCTION_COMPUTE_TYPE, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
SAME(KD_LT_REDUCTION_OUTPUT_TYPE, CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE);
SAME(sizeof(int), sizeof(cublasStatus_t));
SAME(sizeof(int), sizeof(cublasComputeType_t));
SAME(sizeof(int), sizeof(cudaDataType));
SAME(sizeof(int), sizeof(cublasLtMatmulDescAttributes_t));
SAME(sizeof(int), sizeof(cublasLtMatmulPreferenceAttributes_t));
SAME(sizeof(struct kd_lt_algo), sizeof(cublasLtMatmulAlgo_t));
SAME(sizeof(struct kd_lt_result), sizeof(cublasLtMatmulHeuristicResult_t));
SAME_PLACE(algo, algo);
SAME_PLACE(workspace_bytes, workspaceSize);
SAME_PLACE(status, state);
SAME_PLACE(waves, wavesCount);
#if CUBLAS_VERSION < 120000
#error "the numbers of versions are others"
#endif
'

# What NVIDIA passes as an enumeration or a pointer of its own is an int or a pointer here.
cat >"$folder/x.cpp" <<'END'
#include <type_traits>
#include <cublasLt.h>
#include "kernels/cuda/lt_abi.h"
template <class A, class B> constexpr bool is_same_kind()
{
    return sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B>;
}
template <class R, class... P, class S, class... Q>
constexpr bool is_same_call(R (*)(P...), S (*)(Q...))
{
    if constexpr (sizeof...(P) == sizeof...(Q))
        return is_same_kind<R, S>() && (is_same_kind<P, Q>() && ...);
    return false;
}
#define KD_LT_CALL(result, name, parameters)                                                       \
    static_assert(is_same_call(static_cast<result(*) parameters>(nullptr), name), #name);
#include "kernels/cuda/lt_calls.def"
static_assert(!is_same_call(static_cast<int (*)(struct kd_lt_handle *)>(nullptr), cublasLtMatmul));
END
if command -v "${CXX:-c++}" >/dev/null; then
    "${CXX:-c++}" -std=c++20 -fsyntax-only -isystem "$toolkit/include" -I"$source_dir" "$folder/x.cpp"
fi

if compile '_Static_assert(KD_LT_OP_T == CUBLAS_OP_C, "planted");' 2>/dev/null; then
    echo "a planted difference was not found"
    exit 1
fi
echo "the same numbers as in $("${CC:-cc}" -M -isystem "$toolkit/include" -I"$source_dir" "$folder/x.c" | tr ' ' '\n' | grep '/cublasLt\.h$')"
