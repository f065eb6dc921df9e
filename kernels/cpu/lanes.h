/* lanes.h - as many floats as a vector of the CPU holds, as one value, for loops that the compiler
 * does not make vectors of by itself: sums over rows and tiles of products. A file that includes it
 * is compiled for each instruction set (isa.h). */
#ifndef KD_KERNELS_CPU_LANES_H
#define KD_KERNELS_CPU_LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "kernels/cpu/isa.h"
#include "kernels/simd.h"

/* How vectors are passed depends on the instruction set, of which gcc warns; functions of vectors
 * are inlined everywhere. */
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

/* Wider vectors than the CPU's gcc 12 keeps in memory. */
#if defined(__AVX512F__)
enum { KD_LANES = 16 };
#elif defined(__AVX2__)
enum { KD_LANES = 8 };
#else
enum { KD_LANES = 4 };
#endif

typedef float kd_lanes __attribute__((vector_size(4 * KD_LANES)));

/* The same at any address: *(const kd_lanes_at *)x. */
typedef float kd_lanes_at __attribute__((vector_size(4 * KD_LANES), aligned(4), may_alias));

/* Also what comparisons give: 0 or -1. */
typedef int32_t kd_lanes_int __attribute__((vector_size(4 * KD_LANES)));

/* As many bytes. */
typedef uint8_t kd_lanes_byte __attribute__((vector_size(KD_LANES)));

/* x where the mask is -1, elsewhere other. */
KD_INLINE kd_lanes kd_lanes_choose(kd_lanes_int mask, kd_lanes x, kd_lanes other)
{
    return (kd_lanes)((mask & (kd_lanes_int)x) | (~mask & (kd_lanes_int)other));
}

/* x where the mask is -1, elsewhere 0. */
KD_INLINE kd_lanes kd_lanes_where(kd_lanes_int mask, kd_lanes x)
{
    return (kd_lanes)(mask & (kd_lanes_int)x);
}

/* Each lane's own number. */
KD_INLINE kd_lanes_int kd_lanes_index(void)
{
    kd_lanes_int index;
#pragma GCC unroll 16
    for (int l = 0; l < KD_LANES; l++)
        index[l] = l;
    return index;
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

/* The square root of what is not negative, to 1e-7 of it; 0, infinity and NaN are their own.
 * AVX-512 divides and takes roots at a quarter of the rate of memory in the second-level cache; an
 * estimate and one step of Newton's method take half as long. */
#if defined(__AVX512DQ__)
KD_INLINE kd_lanes kd_lanes_sqrt(kd_lanes x)
{
    const kd_lanes half = (kd_lanes){0} + 0.5f;
    enum { IS_NAN = 0x01 | 0x80, IS_ZERO = 0x02 | 0x04 | 0x20, IS_INFINITE = 0x08 };
    __m512 v = (__m512)x;
    __mmask16 own = _mm512_fpclass_ps_mask(v, IS_NAN | IS_ZERO | IS_INFINITE);
    kd_lanes inverse = (kd_lanes)_mm512_rsqrt14_ps(v), root = x * inverse;
    root += (x - root * root) * (half * inverse);
    return (kd_lanes)_mm512_mask_mov_ps((__m512)root, own, v);
}
#else
KD_INLINE kd_lanes kd_lanes_sqrt(kd_lanes x)
{
    for (int l = 0; l < KD_LANES; l++)
        x[l] = sqrtf(x[l]);
    return x;
}
#endif

typedef float kd_half_lanes __attribute__((vector_size(2 * KD_LANES)));
typedef int32_t kd_half_int __attribute__((vector_size(2 * KD_LANES)));
typedef float kd_quad __attribute__((vector_size(16)));

/* By halves: additions one after the other would take as long as a row of a few hundred. */
KD_INLINE float kd_lanes_sum(const kd_lanes_at *lanes)
{
    kd_quad quads[KD_LANES / 4];
    memcpy(quads, lanes, sizeof quads);
#pragma GCC unroll 2
    for (int n = KD_LANES / 8; n; n /= 2)
#pragma GCC unroll 2
        for (int i = 0; i < n; i++)
            quads[i] += quads[i + n];
    return (quads[0][0] + quads[0][1]) + (quads[0][2] + quads[0][3]);
}

/* The greatest; a NaN is not told from other values. */
KD_INLINE float kd_lanes_max(const kd_lanes_at *lanes)
{
    kd_half_lanes halves[2];
    memcpy(halves, lanes, sizeof halves);
    kd_half_int first = halves[0] > halves[1];
    kd_half_int bits = ((kd_half_int)halves[0] & first) | ((kd_half_int)halves[1] & ~first);
    float max[KD_LANES / 2];
    memcpy(max, &bits, sizeof max);
#pragma GCC unroll 3
    for (int n = KD_LANES / 4; n; n /= 2)
#pragma GCC unroll 4
        for (int l = 0; l < n; l++)
            max[l] = max[l] > max[l + n] ? max[l] : max[l + n];
    return max[0];
}

/* y[KD_LANES][KD_LANES] = x[KD_LANES][KD_LANES] transposed, their rows x_row and y_row apart:
 * blocks of 8, 4, 2 and 1 change places (Eklundh: "A fast computer method for matrix transposing",
 * 1972). */
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
        kd_lanes_int upper, lower;
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
