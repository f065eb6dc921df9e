/* prefetch.h - memory that the last pass left far away, asked for in time: a loop that computes a
 * lot for each value keeps too few loads under way to hide the distance by itself. */
#ifndef KD_KERNELS_CPU_PREFETCH_H
#define KD_KERNELS_CPU_PREFETCH_H

#include <stdint.h>

#include "kernels/simd.h"

enum { KD_LINE_FLOATS = 16 };

/* x[from .. to - 1] on its way into the second cache. */
KD_INLINE void kd_prefetch(const float *x, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i += KD_LINE_FLOATS)
        __builtin_prefetch(x + i, 0, 2);
}

#endif
