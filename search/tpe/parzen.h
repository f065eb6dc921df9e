/* parzen.h - a Parzen estimator: the density that a set of trials suggests, one kernel per trial
 * and one for the prior, each the product of one factor per axis.
 *
 * The rules are those of Optuna 5's default TPE (Watanabe, arXiv 2304.11127, section 3.3, with its
 * "hyperopt" bandwidths), for trials i = 0 .. n-1 in the order of their numbers:
 *
 *     weights      1 each; from n = 25 on the oldest n - 25 rise linearly from 1/n to 1. The prior has prior_weight.
 *     deviation    the larger gap to the neighbours in sorted order (outermost ones: to their only
 *                  neighbour; a single trial: to the bounds), kept within [range / min(100, n + 2),
 *                  range]
 *     prior        the middle of the range with the range as its deviation; a normal parameter's
 *                  own mean and deviation
 *     numbers      normal kernels cut to the range [low, high] of the axis (axis.h), in its coordinate
 *     cells        the kernel's mass in the cell of the value over its mass in the range
 *     categorical  (prior_weight / (n + 1) + [choice was observed]) / their sum; the prior is even
 *     inactive     where a trial has no value its kernel is the prior's on that axis, so that a
 *                  kernel is a whole point, and what belongs to a branch is learnt together with
 *                  the choice of the branch; where a point has no value the axis is left out
 *
 * Log densities are per coordinate (ln x for log forms), and per cell. */
#ifndef KD_SEARCH_PARZEN_H
#define KD_SEARCH_PARZEN_H

#include "search/tpe/columns.h"

struct kd_parzen;

/* Over the axes first .. first + n_axes - 1 of the columns, which are borrowed. The estimator may
 * be fitted again and again, and keeps from one fit to the next what has not changed. */
struct kd_parzen *kd_parzen_new(const struct kd_columns *columns, int first, int n_axes);
void kd_parzen_free(struct kd_parzen *parzen);

/* trials: n numbers, ascending, all in the columns. weights: of each, in place of those above; may
 * be NULL. Call after each kd_columns_sync. */
void kd_parzen_fit(struct kd_parzen *parzen, const int *trials, int n, const double *weights,
                   double prior_weight);

/* Draws one point: n_axes values; those of inactive parameters have no meaning. */
void kd_parzen_draw(const struct kd_parzen *parzen, struct kd_rng *rng, double *values);

/* Log density of n_points points (rows of n_axes allowed values, NaN = inactive) into out. */
void kd_parzen_log_density(const struct kd_parzen *parzen, const double *points, int n_points,
                           double *out);

#endif
