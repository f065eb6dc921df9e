/* op_loss.h - arguments of the losses. The rules of all ops stand in ops.h.
 *
 * A row is a sample, or one of its positions. Losses are sums in double over this rank's rows;
 * gradients are those of the mean over turn->n_counted, the rows of the whole global batch that
 * count (all of its micro-batches, without ignored ones). */
#ifndef KD_KERNELS_OP_LOSS_H
#define KD_KERNELS_OP_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/hyper.h"

/* Over the rows given; all are added to. */
struct kd_loss_sums {
    double loss;
    int64_t n_correct, n_top5; /* rows (bce: targets, over their number n_targets) */
    int64_t n_counted;         /* rows that were not ignored */
};

/* Adds, for each row whose label is not negative (negative: ignored, its gradient is 0):
 *   loss:      (1 - m) ce(label) + m ce(other label), m = turn->mix (0 without other_labels; Zhang
 *              et al.: "mixup", 2018), where ce(l) = -(1 - s) log p[l] - s mean over classes of log
 *              p, s = *smoothing (Szegedy et al.: "Rethinking the Inception architecture", 2016,
 *              section 7), p = softmax(logits)
 *   n_correct: the label's logit is the greatest (ties: the first one); n_top5: less than five
 *              logits are greater, or equal and before it. A row with a NaN is neither.
 * With `backward` the logits become the gradient of the sum over n_counted, times *scale (the
 * losses are without it). */
struct kd_op_cross_entropy {
    void *logits; /* [rows][n_classes] */
    const int32_t *labels,
        *other_labels; /* [rows]; other_labels may be NULL, or is not negative where the label is not */
    int64_t rows, n_classes;
    const float *smoothing; /* NULL: 0 */
    const float *scale;     /* of the loss, so that gradients are no zeros in fp16; NULL: 1 */
    const struct kd_turn *turn;
    struct kd_loss_sums *sums;
    bool backward;
};

/* Adds each row's mean over its targets of f(y, t). With `backward` y becomes *scale g(y, t) /
 * (n_targets n_counted).
 *   mse: f = (y - t)^2; g = 2 (y - t)
 *   bce: binary cross-entropy on logits, t in 0 .. 1: f = max(y, 0) - y t + log(1 + e^-|y|); g =
 *        sigmoid(y) - t; n_correct counts targets with (y > 0) == (t > 0.5), n_top5 likewise */
struct kd_op_target_loss {
    void *y;              /* [rows][n_targets] */
    const float *targets; /* the same shape */
    int64_t rows, n_targets;
    const float *scale; /* as above */
    const struct kd_turn *turn;
    struct kd_loss_sums *sums;
    bool backward;
};
#define kd_op_mse kd_op_target_loss
#define kd_op_bce kd_op_target_loss

#endif
