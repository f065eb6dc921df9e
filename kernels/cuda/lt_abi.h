/* lt_abi.h - as much of cuBLASLt's binary interface as is used, so that a build needs neither its
 * header nor its library.
 *
 * Source: NVIDIA's cuBLAS documentation ("Using the cuBLASLt API") and cublasLt.h 13.1;
 * tests/cuda/test_lt_abi.sh compares with a cublasLt.h where there is one. Enumerations are ints
 * here, a stream is a pointer. */
#ifndef KD_KERNELS_CUDA_LT_ABI_H
#define KD_KERNELS_CUDA_LT_ABI_H

#include <stddef.h>
#include <stdint.h>

enum kd_lt_status {
    KD_LT_SUCCESS = 0,
    KD_LT_NOT_INITIALIZED = 1,
    KD_LT_ALLOC_FAILED = 3,
    KD_LT_INVALID_VALUE = 7,
    KD_LT_ARCH_MISMATCH = 8,
    KD_LT_EXECUTION_FAILED = 13,
    KD_LT_NOT_SUPPORTED = 15,
};

/* Types of elements, of alpha and beta: CUDA's cudaDataType. */
enum kd_lt_type {
    KD_LT_R_32F = 0,
    KD_LT_R_16F = 2,
    KD_LT_R_16BF = 14,
};

enum { KD_LT_OP_N = 0, KD_LT_OP_T = 1 }; /* operations */

/* What sums are in, and what factors may be rounded to before. With alpha and beta in fp32, these
 * go together (the documentation's table of types at cublasLtMatmul):
 *
 *   32F                 A and B R_16BF, C and D R_16BF or R_32F
 *   32F                 A and B R_16F, C and D R_16F or R_32F
 *   32F, 32F_FAST_TF32  all of them R_32F */
enum kd_lt_compute {
    KD_LT_COMPUTE_32F = 68,
    KD_LT_COMPUTE_32F_FAST_TF32 = 77,
};

enum kd_lt_desc_attribute {
    KD_LT_DESC_TRANSA = 3,       /* int32_t */
    KD_LT_DESC_TRANSB = 4,       /* int32_t */
    KD_LT_DESC_EPILOGUE = 7,     /* uint32_t */
    KD_LT_DESC_BIAS_POINTER = 8, /* const void *: an element of D's type for each row of D */
};

/* Bits: RELU | BIAS is bias, then relu. */
enum kd_lt_epilogue {
    KD_LT_EPILOGUE_DEFAULT = 1,
    KD_LT_EPILOGUE_RELU = 2,
    KD_LT_EPILOGUE_BIAS = 4
};

enum kd_lt_preference_attribute {
    KD_LT_PREFERENCE_WORKSPACE = 1,   /* uint64_t: bytes at most */
    KD_LT_PREFERENCE_REDUCTION = 3,   /* uint32_t: a mask of schemes */
    KD_LT_PREFERENCE_ALIGNMENT_A = 5, /* uint32_t, bytes */
    KD_LT_PREFERENCE_ALIGNMENT_B = 6,
    KD_LT_PREFERENCE_ALIGNMENT_C = 7,
    KD_LT_PREFERENCE_ALIGNMENT_D = 8,
};

/* How the parts of a sum that was cut up come together. */
enum kd_lt_reduction {
    KD_LT_REDUCTION_NONE = 0,
    KD_LT_REDUCTION_INPLACE = 1,
    KD_LT_REDUCTION_COMPUTE_TYPE = 2,
    KD_LT_REDUCTION_OUTPUT_TYPE = 4,
};

struct kd_lt_algo {
    uint64_t data[8];
};

struct kd_lt_result {
    struct kd_lt_algo algo;
    size_t workspace_bytes;
    int status;
    float waves;
    int reserved[4];
};

/* As cublasLtGetVersion tells it: major * 10000 + minor * 100 + patch, but major * 1000 before
 * 12. */
enum { KD_LT_OLDEST = 120000 };

/* cuBLASLt's own. */
struct kd_lt_handle;
struct kd_lt_desc;
struct kd_lt_layout;
struct kd_lt_preference;

#endif
