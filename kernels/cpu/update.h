/* update.h - what the optimizers' passes over an arena share. */
#ifndef KD_KERNELS_CPU_UPDATE_H
#define KD_KERNELS_CPU_UPDATE_H

#include <string.h>

#include "kernels/cpu/simd.h"
#include "kernels/op_update.h"

static inline float kd_scale_of(const float *scale)
{
    return scale ? *scale : 1.0f;
}

/* What weight decay leaves of a parameter. */
static inline float kd_keep_of(const struct kd_range *range, const struct kd_hyper *hyper)
{
    return range->decay ? 1.0f - hyper->lr * hyper->weight_decay : 1.0f;
}

/* 1 / sqrt(x) for x of 0 and more, relative error 2e-7: a guess from the exponent and three of Newton's steps, which keep the
 * multipliers busy, while a square root and a division take four times as long and nothing else goes on. 0 gives a large number,
 * so that x times it is 0. */
KD_INLINE float kd_fast_rsqrt(float x)
{
    uint32_t bits;
    float y;
    memcpy(&bits, &x, sizeof bits);
    bits = 0x5F375A86u - (bits >> 1);
    memcpy(&y, &bits, sizeof y);
    float half = 0.5f * x;
    y = y * (1.5f - half * y * y);
    y = y * (1.5f - half * y * y);
    return y * (1.5f - half * y * y);
}

/* 1 / x for x above 0, likewise. */
KD_INLINE float kd_fast_reciprocal(float x)
{
    uint32_t bits;
    float y;
    memcpy(&bits, &x, sizeof bits);
    bits = 0x7EF311C7u - bits;
    memcpy(&y, &bits, sizeof y);
    y = y * (2.0f - x * y);
    y = y * (2.0f - x * y);
    return y * (2.0f - x * y);
}

#endif
