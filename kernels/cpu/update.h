/* update.h - what the optimizers' passes over an arena share. */
#ifndef KD_KERNELS_CPU_UPDATE_H
#define KD_KERNELS_CPU_UPDATE_H

#include "kernels/op_update.h"
#include "kernels/simd.h"

static inline float kd_scale_of(const float *scale)
{
    return scale ? *scale : 1.0f;
}

static inline bool kd_is_left_out(const float *scale)
{
    return scale && *scale < 0.0f;
}

/* What weight decay leaves of a parameter. */
static inline float kd_keep_of(const struct kd_range *range, const struct kd_hyper *hyper)
{
    return range->decay ? 1.0f - hyper->lr * hyper->weight_decay : 1.0f;
}

#endif
