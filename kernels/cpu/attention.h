/* attention.h - the products of attention's two passes over one head, small enough to stay in the
 * caches.
 *
 * Operands are packed with their rows padded to whole vectors, the padding zero, so that no loop
 * has a rest. A sequence is worked on in blocks of KD_BLOCK queries, each with all the keys up to
 * its end: what lies beyond is never computed, and a block's scores are all the weights there are
 * in memory at a time. */
#ifndef KD_KERNELS_CPU_ATTENTION_H
#define KD_KERNELS_CPU_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/prefetch.h"

/* A tile and what it is made of fit the registers, of which there are 32 with AVX-512 and 16
 * without. */
enum { KD_BLOCK = 16, KD_TILE_ROWS = KD_LANES == 16 ? 8 : 4 };

KD_INLINE int64_t kd_block_up(int64_t n)
{
    return (n + KD_BLOCK - 1) / KD_BLOCK * KD_BLOCK;
}

/* a(i, p) = values[i row + p step]: a row-major matrix or, the two exchanged, a transposed one. */
struct kd_left {
    const float *values;
    int64_t row, step;
};

/* A tile of c: KD_TILE_ROWS rows of n_lanes (a constant, 1 or 2) vectors, + c when it adds. All
 * loops over the tile are unrolled, so that its sums stay in registers. */
KD_INLINE void kd_tile(struct kd_left a, const float *b, int64_t b_row, float *c, int64_t c_row,
                       int64_t k, int n_lanes, bool adds)
{
    kd_lanes sums[KD_TILE_ROWS][2] = {0};
#pragma GCC unroll 8
    for (int i = 0; adds && i < KD_TILE_ROWS; i++)
#pragma GCC unroll 2
        for (int l = 0; l < n_lanes; l++)
            sums[i][l] = *(const kd_lanes_at *)(c + i * c_row + KD_LANES * l);
    for (int64_t p = 0; p < k; p++) {
        const kd_lanes_at *row = (const kd_lanes_at *)(b + p * b_row);
#pragma GCC unroll 8
        for (int i = 0; i < KD_TILE_ROWS; i++)
#pragma GCC unroll 2
            for (int l = 0; l < n_lanes; l++)
                sums[i][l] += a.values[i * a.row + p * a.step] * row[l];
    }
#pragma GCC unroll 8
    for (int i = 0; i < KD_TILE_ROWS; i++)
#pragma GCC unroll 2
        for (int l = 0; l < n_lanes; l++)
            *(kd_lanes_at *)(c + i * c_row + KD_LANES * l) = sums[i][l];
}

/* c[m][n] = a[m][k] b[k][n], + c when it adds; m a multiple of KD_TILE_ROWS, n one of KD_LANES. */
KD_INLINE void kd_product(struct kd_left a, const float *b, int64_t b_row, float *c, int64_t c_row,
                          int64_t m, int64_t n, int64_t k, bool adds)
{
    for (int64_t i = 0; i < m; i += KD_TILE_ROWS) {
        struct kd_left rows = {a.values + i * a.row, a.row, a.step};
        int64_t j = 0;
        for (; j + 2 * KD_LANES <= n; j += 2 * KD_LANES)
            kd_tile(rows, b + j, b_row, c + i * c_row + j, c_row, k, 2, adds);
        if (j < n)
            kd_tile(rows, b + j, b_row, c + i * c_row + j, c_row, k, 1, adds);
    }
}

/* One head of q, k, v or their like in the memory of an op: rows of `size`, `stride` apart. */
struct kd_head {
    const float *values;
    int64_t stride, length, size;
};

/* Rows are short: whole vectors by hand, without the compiler's checks and rests before and after
 * them. */
KD_INLINE void kd_scale_row(const float *from, float factor, float *to, int64_t n)
{
    int64_t whole = kd_lanes_down(n);
    for (int64_t i = 0; i < whole; i += KD_LANES)
        *(kd_lanes_at *)(to + i) = factor * *(const kd_lanes_at *)(from + i);
    for (int64_t i = whole; i < n; i++)
        to[i] = factor * from[i];
}

/* to[length, padded to blocks][size, padded] = factor times the head. */
KD_INLINE void kd_pack(struct kd_head head, float factor, float *to)
{
    int64_t width = kd_lanes_up(head.size);
    for (int64_t t = 0; t < head.length; t++) {
        kd_scale_row(head.values + t * head.stride, factor, to + t * width, head.size);
        for (int64_t i = head.size; i < width; i++)
            to[t * width + i] = 0.0f;
    }
    for (int64_t i = head.length * width; i < kd_block_up(head.length) * width; i++)
        to[i] = 0.0f;
}

/* to[size][length, padded to blocks] = the head, transposed: whole tiles, then what is left at the
 * end of the size and of the length. */
KD_INLINE void kd_pack_transposed(struct kd_head head, float *to)
{
    int64_t width = kd_block_up(head.length);
    int64_t whole_t = kd_lanes_down(head.length), whole_i = kd_lanes_down(head.size);
    for (int64_t t = 0; t < whole_t; t += KD_LANES)
        for (int64_t i = 0; i < whole_i; i += KD_LANES)
            kd_lanes_transpose(head.values + t * head.stride + i, head.stride, to + i * width + t,
                               width);
    for (int64_t t = 0; t < head.length; t++)
        for (int64_t i = t < whole_t ? whole_i : 0; i < head.size; i++)
            to[i * width + t] = head.values[t * head.stride + i];
    for (int64_t i = 0; i < head.size; i++)
        for (int64_t t = head.length; t < width; t++)
            to[i * width + t] = 0.0f;
}

/* Of the KD_BLOCK values at x the first n are kept. */
KD_INLINE void kd_cut_block(float *x, int64_t n, float other)
{
    for (int from = 0; from < KD_BLOCK; from += KD_LANES) {
        kd_lanes_at *lanes = (kd_lanes_at *)(x + from);
        kd_lanes_int kept = kd_lanes_index() < (kd_lanes_int){0} + (int32_t)(n - from);
        *lanes = kd_lanes_choose(kept, *lanes, (kd_lanes){0} + other);
    }
}

/* While head h of n is worked on: its part of the n_floats of the next sample. */
KD_INLINE void kd_prefetch_part(const float *x, int64_t n_floats, int64_t h, int64_t n)
{
    kd_prefetch(x, n_floats * h / n, n_floats * (h + 1) / n);
}

#endif
