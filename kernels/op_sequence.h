/* op_sequence.h - arguments of the ops on sequences: layer normalisation, embedding, rotary
 * positions, attention. The rules of all ops stand in ops.h. Sequences are
 * [n][length][channels]. */
#ifndef KD_KERNELS_OP_SEQUENCE_H
#define KD_KERNELS_OP_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

/* y = (x - mean) rstd weight + bias over each row (Ba, Kiros, Hinton: "Layer normalization", 2016),
 * rstd = 1 / sqrt(variance + epsilon), the variance biased; saved[row] = {mean, rstd}. bias may be
 * NULL. */
struct kd_op_layernorm {
    const void *x;
    const float *weight, *bias;
    void *y;
    float *saved; /* [rows][2] */
    int64_t rows, columns;
    float epsilon;
};

/* sum = a + b as it is stored, and y and saved of the layernorm of that: what add and then
 * layernorm write, over memory once. sum and y may each be a or b, not in part. */
struct kd_op_add_layernorm {
    const void *a, *b;
    void *sum;
    const float *weight, *bias;
    void *y;
    float *saved; /* [rows][2] */
    int64_t rows, columns;
    float epsilon;
};

/* dx = the gradient of x + beta_dx dx; dweight and dbias (may be NULL) + beta of theirs. dx may be
 * dy when beta_dx is 0; dx may be NULL when nobody needs it. */
struct kd_op_layernorm_backward {
    const void *dy, *x;
    const float *saved, *weight;
    void *dx;
    float *dweight, *dbias;
    int64_t rows, columns;
    float beta_dx, beta;
};

/* y[row] = table[tokens[row]]; tokens were checked to be 0 .. n_entries - 1. */
struct kd_op_embedding {
    const int32_t *tokens;
    const float *table; /* [n_entries][columns] */
    void *y;
    int64_t rows, columns, n_entries;
};

/* dtable = beta dtable, then dtable[tokens[row]] += dy[row], rows in order. */
struct kd_op_embedding_backward {
    const int32_t *tokens;
    const void *dy;
    float *dtable;
    int64_t rows, columns, n_entries;
    float beta;
};

/* Rotary positions (Su et al.: "RoFormer", 2021, eq. 34) in place on the q and the k part of qkv:
 * the pair (x[i], x[i + size / 2]) of a head at position t turns by t base^(-2 i / size). `inverse`
 * turns back, which is the backward pass. */
struct kd_op_rotary {
    void *qkv;                        /* [n][length][3][n_heads][size] */
    int64_t n, length, n_heads, size; /* size is even */
    float base;
    bool inverse;
};

/* Causal attention (Vaswani et al.: "Attention is all you need", 2017, eq. 1): for each sample and
 * head y[t] = sum over s <= t of softmax_s(q[t] k[s] / sqrt(size)) v[s]. log_sum[n][head][t] is the
 * logarithm of the softmax's denominator with the greatest score put back, from which the backward
 * pass makes the weights anew (Dao et al.: "FlashAttention", 2022): memory grows with the length,
 * not with its square. */
struct kd_op_attention {
    const void *qkv; /* [n][length][3][n_heads][size] */
    void *y;         /* [n][length][n_heads][size] */
    float *log_sum;  /* [n][n_heads][length] */
    int64_t n, length, n_heads, size;
};

struct kd_op_attention_backward {
    const void *dy, *qkv, *y;
    const float *log_sum;
    void *dqkv; /* overwritten */
    int64_t n, length, n_heads, size;
};

#endif
