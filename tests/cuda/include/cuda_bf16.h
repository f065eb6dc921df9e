/* cuda_bf16.h - of CUDA's header of this name what kernels/cuda uses: the type and its conversions. */
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

#endif
