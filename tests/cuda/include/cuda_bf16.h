/* cuda_bf16.h - of CUDA's header of this name what kernels/cuda uses: the types and their
 * conversions. */
#ifndef KD_TESTS_CUDA_INCLUDE_CUDA_BF16_H
#define KD_TESTS_CUDA_INCLUDE_CUDA_BF16_H

#include "tests/half.h"

struct __nv_bfloat16 {
    uint16_t bits;
};

static inline float __bfloat162float(__nv_bfloat16 x)
{
    return kd_float_of_bf16(x.bits);
}

static inline __nv_bfloat16 __float2bfloat16_rn(float x)
{
    return {kd_bf16_of_float(x)};
}

struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};

static inline __nv_bfloat162 __floats2bfloat162_rn(float first, float second)
{
    return {__float2bfloat16_rn(first), __float2bfloat16_rn(second)};
}

#endif
