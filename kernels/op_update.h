/* op_update.h - arguments of the ops over flat arenas that end a step: norms, clipping, optimizers,
 * the average of weights. The rules of all ops stand in ops.h. */
#ifndef KD_KERNELS_OP_UPDATE_H
#define KD_KERNELS_OP_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/hyper.h"

/* A stretch of the flat arena that is treated alike; the ranges lie one after the other from 0 and
 * cover the arena. */
struct kd_range {
    int64_t n;
    bool decay; /* weight decay applies: tensors of two and more dimensions */
};

/* How many values a range takes where each begins at a multiple of 16 bytes, or of 32, as products
 * like their factors. */
enum { KD_ROUND_TO = 8 };
static inline int64_t kd_rounded_size(const struct kd_range *range)
{
    return (range->n + KD_ROUND_TO - 1) / KD_ROUND_TO * KD_ROUND_TO;
}

/* The weights as products read them: x, rounded to what the queue stores. In y each range begins
 * kd_rounded_size after the one before; what lies between is left alone. */
struct kd_op_round {
    const float *x;
    void *y;
    const struct kd_range *ranges; /* host memory */
    int n_ranges;
};

/* *sum = the sum of x^2 in double. */
struct kd_op_sum_squares {
    const float *x;
    int64_t n;
    double *sum;
};

/* *scale = min(1, hyper->clip / sqrt(*sum_squares)), 1 when hyper->clip is 0; *norm =
 * sqrt(*sum_squares) (Pascanu, Mikolov, Bengio: "On the difficulty of training recurrent neural
 * networks", 2013). */
struct kd_op_clip {
    const double *sum_squares;
    float *scale, *norm;
    const struct kd_hyper *hyper;
};

/* What a loss is multiplied by so that its gradients are no zeros in half precision, and for how
 * many steps it has held; -1: gradients overflow though the scale is 1, and no smaller one would
 * help. */
struct kd_loss_scale {
    float scale;
    int32_t n_good;
    int64_t n_left_out; /* steps that overflowed, altogether */
};

/* A trial begins with the first; doubled after so many good steps, halved at each that overflows,
 * never below 1 (Micikevicius et al.: "Mixed precision training", 2018; the figures are those of
 * PyTorch's GradScaler). */
enum { KD_LOSS_SCALE_FIRST = 1 << 16, KD_LOSS_SCALE_STEPS = 2000 };
#define KD_LOSS_SCALE_MOST 0x1p100f /* gradients that are all zero overflow at no scale */

/* From the sum of squares of a gradient of the loss times loss->scale: *norm is that of the
 * gradient without it, *scale what clips (as clip does) and divides by it. Where the sum is not
 * finite *scale is -1, so that the step is left out, and *norm what it is; loss is moved on for the
 * next step: n_good -1 where the scale was 1 already. Steps that were left out before do not count:
 * they are taken off hyper->step. */
struct kd_op_unscale {
    const double *sum_squares;
    struct kd_loss_scale *loss;
    float *scale, *norm;
    struct kd_hyper *hyper;
};

/* One pass over the arena: p -= f(g, state), where g = gradient * *scale (scale NULL: 1); *scale
 * below 0: nothing is changed, in all ops here that have a scale. Weight decay is decoupled
 * (Loshchilov, Hutter: "Decoupled weight decay regularization", ICLR 2019): p (1 - lr weight_decay)
 * before the step, where the range decays.
 *   sgd:   v = momentum v + g; p -= lr v; with hyper->nesterov p -= lr (g + momentum v) (Sutskever
 *          et al., 2013, as PyTorch writes it)
 *          state: v (left alone, and may be NULL, when momentum is 0)
 *   adamw: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;                   state: m, v
 *          p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon), t = hyper->step
 *   lion:  p -= lr sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g            state: m
 *          (Chen et al.: "Symbolic discovery of optimization algorithms", 2023, algorithm 2; the
 *          sign of 0 is 0, that of an infinity is a NaN, so that it shows) */
struct kd_op_update {
    float *parameters;
    const float *gradients;
    float *state[2];
    const struct kd_range *ranges; /* host memory, as are no other pointers here */
    int n_ranges;
    const struct kd_hyper *hyper;
    const float *scale;
};
#define kd_op_sgd   kd_op_update
#define kd_op_adamw kd_op_update
#define kd_op_lion  kd_op_update

/* LAMB (You et al.: "Large batch optimization for deep learning", 2020, algorithm 2) in two passes,
 * since the norms of a tensor may be spread over ranks. First m and v as adamw; direction u =
 * adamw's step without lr, + weight_decay p where the range decays; norms[2 r] = the sum of p^2,
 * norms[2 r + 1] of u^2 over range r. Then p -= lr ratio u, ratio = |p| / |u|, or 1 when either is
 * 0 or the range does not decay. */
struct kd_op_lamb_direction {
    const float *parameters;
    float *gradients; /* become the direction u */
    float *state[2];
    double *norms;                 /* [n_ranges][2] */
    const struct kd_range *ranges; /* host memory */
    int n_ranges;
    const struct kd_hyper *hyper;
    const float *scale;
};

struct kd_op_lamb_apply {
    float *parameters;
    const float *direction;
    const double *norms;           /* summed over the ranks */
    const struct kd_range *ranges; /* host memory */
    int n_ranges;
    const struct kd_hyper *hyper;
    const float *scale; /* the direction's: it only says whether the step is left out */
};

/* average = decay average + (1 - decay) x, decay = hyper->average_decay. */
struct kd_op_average {
    const float *x;
    float *average;
    int64_t n;
    const struct kd_hyper *hyper;
    const float *scale; /* as above: whether it is left out */
};

#endif
