/* cuda_fp16.h - of CUDA's header of this name what kernels/cuda uses: the types and their
 * conversions. */
#ifndef KD_TESTS_CUDA_INCLUDE_CUDA_FP16_H
#define KD_TESTS_CUDA_INCLUDE_CUDA_FP16_H

#include "tests/half.h"

struct __half {
    uint16_t bits;
};

static inline float __half2float(__half x)
{
    return kd_float_of_fp16(x.bits);
}

static inline __half __float2half_rn(float x)
{
    return {kd_fp16_of_float(x)};
}

struct alignas(4) __half2 {
    __half x, y;
};

static inline __half2 __floats2half2_rn(float first, float second)
{
    return {__float2half_rn(first), __float2half_rn(second)};
}

#endif
