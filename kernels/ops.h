/* ops.h - the arguments of every op, and the table of ops that a device fills.
 *
 * The rules of all ops: matrices are row-major and dense, `rows` counts samples (or samples times positions), any size
 * may be 0, pointers are device memory and borrowed, outputs are overwritten and never overlap inputs unless the op says
 * that it works in place. An op cannot fail: what it is given was checked when the plan was compiled. Ops of one queue
 * run in order; on a GPU they return before they are done, so nothing comes back but through memory. */
#ifndef KD_KERNELS_OPS_H
#define KD_KERNELS_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/hyper.h"

struct kd_queue; /* a device's order of work (a stream); NULL on the CPU */

enum kd_activation {
    KD_ACTIVATION_NONE,
    KD_ACTIVATION_RELU, /* max(x, 0) */
    KD_ACTIVATION_GELU, /* x Phi(x), exact (Hendrycks, Gimpel: "Gaussian error linear units", 2016) */
    KD_ACTIVATION_TANH,
};

/* c[m][n] = op(a)[m][k] op(b)[k][n] + beta c. Leading dimensions are those of a dense matrix as stored: a is [m][k], or
 * [k][m] when transpose_a. beta is 0 or 1; with 0 the old c is not read. k = 0 gives zeros (or leaves c). */
struct kd_op_matmul {
    const float *a, *b;
    float *c;
    int64_t m, n, k;
    bool transpose_a, transpose_b;
    float beta;
};

/* y[rows][n_out] = f(x[rows][n_in] weight[n_out][n_in]^T + bias[n_out]). pre, where not NULL, gets what f was applied to
 * (which the backward of gelu needs); bias may be NULL. */
struct kd_op_linear {
    const float *x, *weight, *bias;
    float *y, *pre;
    int64_t rows, n_in, n_out;
    enum kd_activation activation;
};

struct kd_op_activation {
    const float *x;
    float *y; /* may be x */
    int64_t n;
    enum kd_activation activation;
};

/* saved is f's input for gelu and f's output for relu and tanh. */
struct kd_op_activation_backward {
    const float *dy, *saved;
    float *dx; /* may be dy */
    int64_t n;
    enum kd_activation activation;
};

struct kd_op_column_sum {
    const float *x; /* [rows][columns] */
    float *sums;    /* [columns] */
    int64_t rows, columns;
};

/* Each sample's `size` elements are dropped with probability *rate (0 <= rate < 1), and the others scaled by
 * 1 / (1 - rate). Element i of a sample is kept when word i % 4 of
 *     kd_philox(kd_hash2(turn->seed, layer), samples[s], turn->step << 32 | i / 4)
 * is at least rate 2^32. Linear in x, so the backward pass is the same op on dy. */
struct kd_op_dropout {
    const float *x;
    float *y; /* may be x */
    int64_t n_samples, size;
    const int64_t *samples;
    const float *rate;
    const struct kd_turn *turn;
    uint32_t layer;
};

struct kd_loss_sums {
    double loss; /* over the samples given */
    int64_t n_correct;
};

/* Adds each sample's -log softmax(logits)[label] and whether the label's logit is the greatest (ties: the first one)
 * to *sums; a row with a NaN is never correct. With `backward` the logits become (softmax - onehot) / n_global. */
struct kd_op_cross_entropy {
    float *logits; /* [n_samples][n_classes] */
    const int32_t *labels;
    int64_t n_samples, n_classes;
    const struct kd_turn *turn;
    struct kd_loss_sums *sums; /* added to */
    bool backward;
};

/* Adds each sample's mean over its targets of (y - t)^2 to *sums. With `backward` y becomes
 * 2 (y - t) / (n_targets n_global). */
struct kd_op_mse {
    float *y;             /* [n_samples][n_targets] */
    const float *targets; /* the same shape */
    int64_t n_samples, n_targets;
    const struct kd_turn *turn;
    struct kd_loss_sums *sums; /* added to */
    bool backward;
};

/* A stretch of the flat arena that is treated alike; the ranges lie one after the other from 0 and cover the arena. */
struct kd_range {
    int64_t n;
    bool decay; /* weight decay applies: tensors of two and more dimensions */
};

/* One pass over the arena: p -= f(g, state). Weight decay is decoupled (Loshchilov, Hutter: "Decoupled weight decay
 * regularization", ICLR 2019): p (1 - lr weight_decay) before the step, where the range decays.
 *   sgd:   v = momentum v + g; p -= lr v                             state: v (may be NULL when momentum is 0)
 *   adamw: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;           state: m, v
 *          p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon), t = hyper->step */
struct kd_op_update {
    float *parameters;
    const float *gradients;
    float *state[2];
    const struct kd_range *ranges; /* host memory, as are no other pointers here */
    int n_ranges;
    const struct kd_hyper *hyper;
};
#define kd_op_sgd   kd_op_update
#define kd_op_adamw kd_op_update

struct kd_op_fill {
    float *x;
    int64_t n;
    float value;
};

/* Element i is bound (2 u - 1), u = the top 24 bits of word i % 4 of kd_philox(seed, stream, i / 4), over 2^24: the same
 * bits on every device. */
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

/* What a device fills, cpu/device.c for one. */
struct kd_ops {
#define KD_OP(name, summary) void (*name)(struct kd_queue * queue, const struct kd_op_##name *args);
#include "kernels/ops.def"
#undef KD_OP
};

enum kd_op {
#define KD_OP(name, summary) KD_OP_##name,
#include "kernels/ops.def"
#undef KD_OP
    KD_N_OPS
};

/* An op with its arguments, as data: a plan's step is a flat list of these. */
struct kd_call {
    enum kd_op op;
    union {
#define KD_OP(name, summary) struct kd_op_##name name;
#include "kernels/ops.def"
#undef KD_OP
    } args;
};

/* KD_CALL(fill, .x = x, .n = 8) */
#define KD_CALL(name, ...)                                                                         \
    ((struct kd_call){.op = KD_OP_##name, .args.name = (struct kd_op_##name){__VA_ARGS__}})

void kd_call_run(const struct kd_call *call, const struct kd_ops *ops, struct kd_queue *queue);

extern const char *const kd_op_names[KD_N_OPS];

#endif
