/* op_image.h - arguments of the ops on images: convolution, batch normalisation, pooling. The rules
 * of all ops stand in ops.h.
 *
 * Images are channels last, [n][h][w][c]: a pixel's channels lie together, so that a convolution is
 * a matrix product over (kernel, channel) and what is done per channel is done to rows. */
#ifndef KD_KERNELS_OP_IMAGE_H
#define KD_KERNELS_OP_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/op_dense.h"

/* The output has (h + 2 padding - kernel) / stride + 1 rows (rounded down) and likewise columns; it
 * was checked that this is at least 1. */
struct kd_window {
    int64_t n, h, w, channels;       /* of the input */
    int64_t kernel, stride, padding; /* square; padding with zeros (max_pool: never chosen) */
};

static inline int64_t kd_window_out(const struct kd_window *window, int64_t size)
{
    return (size + 2 * window->padding - window->kernel) / window->stride + 1;
}

/* y[n][h'][w'][c_out] = bias[c_out] + sum over (i, j, c) of x[n][h' stride + i - padding][w' stride
 * + j - padding][c] weight[c_out][i][j][c]. bias may be NULL. */
struct kd_op_conv2d {
    const void *x, *weight, *bias;
    void *y;
    struct kd_window window;
    int64_t c_out;
};

/* dx = the gradient of x, + beta dx. */
struct kd_op_conv2d_backward_x {
    const void *dy, *weight;
    void *dx;
    struct kd_window window;
    int64_t c_out;
    float beta;
};

/* dweight = the gradient of the weight, + beta dweight. The bias's is column_sum of dy. */
struct kd_op_conv2d_backward_weight {
    const void *dy, *x;
    float *dweight;
    struct kd_window window;
    int64_t c_out;
    float beta;
};

/* ---- Batch normalisation (Ioffe, Szegedy: "Batch normalization", 2015) over the whole global
 * batch: sums of this rank's rows, summed over the ranks by the plan, then the pass itself. `rows`
 * are samples times positions; the global count is turn->n_global times `positions`. */

/* sums[0][c] = sum of x, sums[1][c] = sum of x^2, of this rank's rows, in double. */
struct kd_op_batchnorm_sums {
    const void *x; /* [rows][channels] */
    double *sums;  /* [2][channels] */
    int64_t rows, channels;
};

/* y = f((x - mean) rstd weight + bias), rstd = 1 / sqrt(variance + epsilon), f none or relu.
 * Training: mean and (biased) variance from the sums over all ranks; they are written to saved[0] =
 * mean, saved[1] = rstd, and running = (1 - momentum) running + momentum times them, the variance
 * unbiased there (as PyTorch does). Else from running (sums and saved are not touched). A global
 * batch of one row trains with running (saved is of them), which then stays as it is. */
struct kd_op_batchnorm {
    const void *x;
    const float *weight, *bias;
    void *y; /* may be x when not training */
    const double *sums;
    float *saved;        /* [2][channels] */
    float *running_mean; /* [channels] */
    float *running_variance;
    const struct kd_turn *turn;
    int64_t rows, channels, positions;
    float momentum, epsilon;
    enum kd_activation activation; /* none or relu */
    bool training;
};

/* With g = dy where y > 0 (activation relu) or dy: sums[0][c] = sum of g, sums[1][c] = sum of g
 * xhat, of this rank's rows; and dbias = sums[0] + beta dbias, dweight = sums[1] + beta dweight. */
struct kd_op_batchnorm_backward_sums {
    const void *dy, *x, *y;
    const float *saved;
    double *sums;
    float *dweight, *dbias;
    int64_t rows, channels;
    enum kd_activation activation;
    float beta;
};

/* dx = weight rstd (g - sums[0] / N - xhat sums[1] / N), the sums over all ranks, N =
 * turn->n_global positions; + beta dx. Where N is 1, the statistics were not the batch's: dx =
 * weight rstd g. */
struct kd_op_batchnorm_backward {
    const void *dy, *x, *y;
    const float *saved, *weight;
    const double *sums;
    void *dx; /* may be dy when beta is 0 */
    const struct kd_turn *turn;
    int64_t rows, channels, positions;
    enum kd_activation activation;
    float beta;
};

/* y = the greatest value of the window, chosen[] = its place, i * kernel + j within the window (the
 * first of equals; a NaN wins). padding is at most kernel / 2, so that no window lies in it
 * altogether; likewise below. */
struct kd_op_max_pool {
    const void *x;
    void *y;
    uint8_t *chosen; /* [n][h'][w'][channels]; kernel is at most 15 */
    struct kd_window window;
};

struct kd_op_max_pool_backward {
    const void *dy;
    const uint8_t *chosen;
    void *dx; /* overwritten, zeros where nothing was chosen */
    struct kd_window window;
};

/* y = the sum of the window over kernel^2, padding counted (as PyTorch does). */
struct kd_op_avg_pool {
    const void *x;
    void *y;
    struct kd_window window;
};

struct kd_op_avg_pool_backward {
    const void *dy;
    void *dx; /* overwritten */
    struct kd_window window;
};

/* y[n][channels] = the mean over all positions; the backward writes dy / positions everywhere. */
struct kd_op_mean_pool {
    const void *x; /* [n][positions][channels] */
    void *y;
    int64_t n, positions, channels;
};

struct kd_op_mean_pool_backward {
    const void *dy;
    void *dx; /* overwritten */
    int64_t n, positions, channels;
};

#endif
