/* lanes.h - sixteen floats as one value, for loops that the compiler does not make vectors of by itself: sums over rows and
 * tiles of products. On CPUs with narrower vectors one such value is several of theirs. */
#ifndef KD_KERNELS_CPU_LANES_H
#define KD_KERNELS_CPU_LANES_H

#include <stdint.h>
#include <string.h>

#include "kernels/cpu/simd.h"

/* How vectors are passed depends on the instruction set, of which gcc warns; functions of vectors are inlined everywhere. */
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

enum { KD_LANES = 16 };

typedef float kd_lanes __attribute__((vector_size(64)));

/* The same at any address: *(const kd_lanes_at *)x. */
typedef float kd_lanes_at __attribute__((vector_size(64), aligned(4), may_alias));

typedef int32_t kd_lanes_int
    __attribute__((vector_size(64))); /* also what comparisons give: 0 or -1 */

/* x where the mask is -1, elsewhere 0. */
KD_INLINE kd_lanes kd_lanes_where(kd_lanes_int mask, kd_lanes x)
{
    return (kd_lanes)(mask & (kd_lanes_int)x);
}

/* n rounded up to, and down to, whole vectors. */
KD_INLINE int64_t kd_lanes_up(int64_t n)
{
    return (n + KD_LANES - 1) / KD_LANES * KD_LANES;
}

KD_INLINE int64_t kd_lanes_down(int64_t n)
{
    return n - n % KD_LANES;
}

typedef float kd_half_lanes __attribute__((vector_size(32)));
typedef float kd_quarter_lanes __attribute__((vector_size(16)));

/* By halves: sixteen additions one after the other would take as long as a row of a few hundred. */
KD_INLINE float kd_lanes_sum(const kd_lanes_at *lanes)
{
    kd_half_lanes halves[2], half;
    kd_quarter_lanes quarters[2], quarter;
    memcpy(halves, lanes, sizeof halves);
    half = halves[0] + halves[1];
    memcpy(quarters, &half, sizeof quarters);
    quarter = quarters[0] + quarters[1];
    return (quarter[0] + quarter[1]) + (quarter[2] + quarter[3]);
}

#endif
