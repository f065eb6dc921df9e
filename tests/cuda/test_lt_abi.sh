#!/usr/bin/env bash
# test_lt_abi.sh - kernels/cuda/lt_abi.h and lt_calls.def, written from cuBLASLt's documentation, have the numbers, the layouts and the
# parameters of a real cublasLt.h.
#
# Skipped (77) where there is no cublasLt.h with a CUDA toolkit.
set -eu

# shellcheck source=tests/cuda/toolkit.sh
. "$(dirname "${BASH_SOURCE[0]}")/toolkit.sh"

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
SAME(KD_LT_R_16F, CUDA_R_16F);
SAME(KD_LT_R_16BF, CUDA_R_16BF);
SAME(KD_LT_OP_N, CUBLAS_OP_N);
SAME(KD_LT_OP_T, CUBLAS_OP_T);
SAME(KD_LT_COMPUTE_32F, CUBLAS_COMPUTE_32F);
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

# A real library takes the attributes with these sizes, on a machine without a GPU too.
library=$(find "$toolkit/lib64/" "$toolkit/lib/" -maxdepth 1 -name 'libcublasLt.so.1[23]' 2>/dev/null | head -n 1)
cat >"$folder/attributes.c" <<'END'
#include <stdio.h>
#include "kernels/cuda/lt_library.h"
static int n_refused;
static void expect(int status, const char *what, int attribute)
{
    if (status == KD_LT_SUCCESS)
        return;
    printf("%s %d is refused: status %d\n", what, attribute, status);
    n_refused++;
}
int main(void)
{
    struct kd_error err;
    const struct kd_lt *lt = kd_lt_get(13, &err);
    struct kd_lt_desc *desc;
    struct kd_lt_layout *layout;
    struct kd_lt_preference *preference;
    const int computes[] = {KD_LT_COMPUTE_32F, KD_LT_COMPUTE_32F_FAST_TF32};
    const int types[] = {KD_LT_R_32F, KD_LT_R_16F, KD_LT_R_16BF};
    const int32_t turned = KD_LT_OP_T;
    const uint32_t epilogue = KD_LT_EPILOGUE_RELU | KD_LT_EPILOGUE_BIAS, small = 16;
    const uint32_t scheme = KD_LT_REDUCTION_COMPUTE_TYPE;
    const uint64_t workspace = 1 << 22;
    const void *bias = &small;
    if (!lt)
        return puts(err.text), 1;
    for (int i = 0; i < 2; i++) {
        expect(lt->cublasLtMatmulDescCreate(&desc, computes[i], KD_LT_R_32F), "compute type", computes[i]);
        for (int a = KD_LT_DESC_TRANSA; a <= KD_LT_DESC_TRANSB; a++)
            expect(lt->cublasLtMatmulDescSetAttribute(desc, a, &turned, sizeof turned), "attribute", a);
        expect(lt->cublasLtMatmulDescSetAttribute(desc, KD_LT_DESC_EPILOGUE, &epilogue, sizeof epilogue), "attribute", 7);
        expect(lt->cublasLtMatmulDescSetAttribute(desc, KD_LT_DESC_BIAS_POINTER, &bias, sizeof bias), "attribute", 8);
        expect(lt->cublasLtMatmulDescDestroy(desc), "destroying", i);
    }
    for (int i = 0; i < 3; i++) {
        expect(lt->cublasLtMatrixLayoutCreate(&layout, types[i], 5, 7, 5), "layout of type", types[i]);
        expect(lt->cublasLtMatrixLayoutDestroy(layout), "destroying", i);
    }
    expect(lt->cublasLtMatmulPreferenceCreate(&preference), "preference", 0);
    expect(lt->cublasLtMatmulPreferenceSetAttribute(preference, KD_LT_PREFERENCE_WORKSPACE, &workspace, sizeof workspace),
           "preference", KD_LT_PREFERENCE_WORKSPACE);
    expect(lt->cublasLtMatmulPreferenceSetAttribute(preference, KD_LT_PREFERENCE_REDUCTION, &scheme, sizeof scheme),
           "preference", KD_LT_PREFERENCE_REDUCTION);
    for (int a = KD_LT_PREFERENCE_ALIGNMENT_A; a <= KD_LT_PREFERENCE_ALIGNMENT_D; a++)
        expect(lt->cublasLtMatmulPreferenceSetAttribute(preference, a, &small, sizeof small), "preference", a);
    expect(lt->cublasLtMatmulPreferenceDestroy(preference), "destroying", 0);
    if (lt->cublasLtMatmulPreferenceCreate(&preference) == KD_LT_SUCCESS &&
        lt->cublasLtMatmulPreferenceSetAttribute(preference, KD_LT_PREFERENCE_WORKSPACE, &small, sizeof small) == KD_LT_SUCCESS)
        return puts("a wrong size was not found"), 1;
    printf("cuBLASLt %zu takes all attributes\n", lt->version);
    return n_refused > 0;
}
END
if [ -n "$library" ]; then
    "${CC:-cc}" -std=c11 -D_GNU_SOURCE -I"$source_dir" "$folder/attributes.c" "$source_dir/kernels/cuda/lt_library.c" \
        "$source_dir/coordinator/base/error.c" -o "$folder/attributes" -ldl
    KATYDID_CUBLASLT=$library "$folder/attributes"
fi

if compile '_Static_assert(KD_LT_OP_T == CUBLAS_OP_C, "planted");' 2>/dev/null; then
    echo "a planted difference was not found"
    exit 1
fi
echo "the same numbers as in $("${CC:-cc}" -M -isystem "$toolkit/include" -I"$source_dir" "$folder/x.c" | tr ' ' '\n' | grep '/cublasLt\.h$')"
