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

typedef int32_t kd_lanes_indices __attribute__((vector_size(64)));
typedef int32_t kd_half_indices __attribute__((vector_size(32)));

/* The greatest; a NaN is not told from other values. */
KD_INLINE float kd_lanes_max(const kd_lanes_at *lanes)
{
    kd_half_lanes halves[2];
    memcpy(halves, lanes, sizeof halves);
    kd_half_indices first = halves[0] > halves[1];
    kd_half_indices bits =
        ((kd_half_indices)halves[0] & first) | ((kd_half_indices)halves[1] & ~first);
    kd_half_lanes half = (kd_half_lanes)bits;
    float max[4];
#pragma GCC unroll 4
    for (int l = 0; l < 4; l++)
        max[l] = half[l] > half[l + 4] ? half[l] : half[l + 4];
    float even = max[0] > max[2] ? max[0] : max[2], odd = max[1] > max[3] ? max[1] : max[3];
    return even > odd ? even : odd;
}

/* x[n .. 15] = other. */
KD_INLINE void kd_lanes_cut(float *x, int64_t n, float other)
{
    const kd_lanes_indices index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    kd_lanes_indices kept = index < (kd_lanes_indices){0} + (int32_t)n;
    kd_lanes others = (kd_lanes){0} + other;
    kd_lanes_indices bits =
        ((kd_lanes_indices) * (const kd_lanes_at *)x & kept) | ((kd_lanes_indices)others & ~kept);
    *(kd_lanes_at *)x = (kd_lanes)bits;
}

/* y[16][16] = x[16][16] transposed, their rows x_row and y_row apart: blocks of 8, 4, 2 and 1 change places (Eklundh: "A fast
 * computer method for matrix transposing", 1972). */
#if defined(__clang__)
KD_INLINE void kd_lanes_transpose(const float *x, int64_t x_row, float *y, int64_t y_row)
{
    for (int i = 0; i < KD_LANES; i++)
        for (int j = 0; j < KD_LANES; j++)
            y[i * y_row + j] = x[j * x_row + i];
}
#else
KD_INLINE void kd_lanes_transpose(const float *x, int64_t x_row, float *y, int64_t y_row)
{
    kd_lanes rows[KD_LANES];
#pragma GCC unroll 16
    for (int i = 0; i < KD_LANES; i++)
        rows[i] = *(const kd_lanes_at *)(x + i * x_row);
#pragma GCC unroll 4
    for (int size = KD_LANES / 2; size; size /= 2) {
        kd_lanes_indices upper, lower;
#pragma GCC unroll 16
        for (int l = 0; l < KD_LANES; l++) {
            upper[l] = l & size ? KD_LANES + l - size : l;
            lower[l] = l & size ? KD_LANES + l : l + size;
        }
#pragma GCC unroll 16
        for (int i = 0; i < KD_LANES; i++)
            if (!(i & size)) {
                kd_lanes first = rows[i], second = rows[i + size];
                rows[i] = __builtin_shuffle(first, second, upper);
                rows[i + size] = __builtin_shuffle(first, second, lower);
            }
    }
#pragma GCC unroll 16
    for (int i = 0; i < KD_LANES; i++)
        *(kd_lanes_at *)(y + i * y_row) = rows[i];
}
#endif

#endif
