/* op_dense.h - arguments of the ops on matrices and flat vectors: products, activations, sums,
 * dropout, fills. The rules of all ops stand in ops.h. */
#ifndef KD_KERNELS_OP_DENSE_H
#define KD_KERNELS_OP_DENSE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/hyper.h"

enum kd_activation {
    KD_ACTIVATION_NONE,
    KD_ACTIVATION_RELU, /* max(x, 0) */
    KD_ACTIVATION_GELU, /* x Phi(x), exact (Hendrycks, Gimpel: "Gaussian error linear units", 2016) */
    KD_ACTIVATION_TANH,
    KD_ACTIVATION_SILU, /* x / (1 + e^-x) (Elfwing, Uchibe, Doya: "Sigmoid-weighted linear units", 2017) */
};

/* c[m][n] = op(a)[m][k] op(b)[k][n] + beta c. c is floats whatever the queue stores where
 * to_floats: the gradient of a weight. Leading dimensions are those of a dense matrix as stored: a
 * is [m][k], or [k][m] when transpose_a. beta is 0 or 1; with 0 the old c is not read. k = 0 gives
 * zeros (or leaves c). */
struct kd_op_matmul {
    const void *a, *b;
    void *c;
    int64_t m, n, k;
    bool transpose_a, transpose_b;
    bool to_floats;
    float beta;
};

/* y[rows][n_out] = f(x[rows][n_in] weight[n_out][n_in]^T + bias[n_out]). pre, where not NULL, gets
 * what f was applied to (which the backward of gelu and silu needs); bias may be NULL. */
struct kd_op_linear {
    const void *x, *weight, *bias;
    void *y, *pre;
    int64_t rows, n_in, n_out;
    enum kd_activation activation;
};

struct kd_op_activation {
    const void *x;
    void *y; /* may be x */
    int64_t n;
    enum kd_activation activation;
};

/* saved is f's input for gelu and silu and f's output for relu and tanh. */
struct kd_op_activation_backward {
    const void *dy, *saved;
    void *dx; /* may be dy */
    int64_t n;
    enum kd_activation activation;
};

/* sums[j] = sum over i of x[i][j] + beta sums[j]; beta as in matmul. */
struct kd_op_column_sum {
    const void *x; /* [rows][columns] */
    float *sums;   /* [columns] */
    int64_t rows, columns;
    float beta;
};

/* y = a + b; y may be a or b. */
struct kd_op_add {
    const void *a, *b;
    void *y;
    int64_t n;
};

/* y[i][j] = x[i][j] + row[j]; y may be x. */
struct kd_op_add_row {
    const void *x;
    const float *row;
    void *y;
    int64_t rows, columns;
};

/* Each sample's `size` elements are dropped with probability t / 2^16, t = *rate 2^16 rounded down
 * (0 <= rate < 1), and the others scaled by 1 / (1 - t / 2^16). Element i of a sample is kept when
 * its 16 bits are at least t: with b = i / 128 16 + i % 16 and h = i % 128 / 16, the lower (h even)
 * or upper half of word h / 2 of
 *     kd_philox(kd_hash2(turn->seed, layer), samples[s], turn->step << 32 | b).
 * kept[] is 1 for a kept element, else 0, for the backward pass. Of a random word, 16 bits are
 * enough, and so many elements share a block because blocks are what dropout costs. */
struct kd_op_dropout {
    const void *x;
    void *y;       /* may be x */
    uint8_t *kept; /* [n_samples][size] */
    int64_t n_samples, size;
    const int64_t *samples;
    const float *rate;
    const struct kd_turn *turn;
    uint32_t layer;
};

/* dx = dy where kept, scaled as in the forward pass, else 0. */
struct kd_op_dropout_backward {
    const void *dy;
    const uint8_t *kept;
    void *dx; /* may be dy */
    int64_t n;
    const float *rate;
};

/* y = x, floats both. */
struct kd_op_copy {
    const float *x;
    float *y;
    int64_t n;
};

struct kd_op_fill {
    float *x;
    int64_t n;
    float value;
};

/* Element i is bound (2 u - 1), u = the top 24 bits of word i % 4 of kd_philox(seed, stream, i /
 * 4), over 2^24: the same bits on every device. */
struct kd_op_init_uniform {
    float *x;
    int64_t n;
    float bound;
    uint64_t seed, stream;
};

struct kd_op_find_nonfinite {
    const float *x;
    int64_t n;
    int64_t *at; /* index of the first one, or -1 */
};

#endif
