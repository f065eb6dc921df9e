/* truncnorm.h - the normal distribution cut to an interval [a, b], in standard units; either end may be infinite.
 * Stable when the whole interval lies far out in a tail. */
#ifndef KD_SEARCH_TRUNCNORM_H
#define KD_SEARCH_TRUNCNORM_H

#include "coordinator/base/rng.h"

/* A draw from the standard normal distribution; finite. */
double kd_normal_draw(struct kd_rng *rng);

/* log(cdf(b) - cdf(a)), a <= b; -INFINITY when they are equal. */
double kd_normal_log_mass(double a, double b);

/* cdf(b) - cdf(a), a <= b, without cancellation when both are above 0. */
double kd_normal_mass(double a, double b);

/* The q-quantile, q in [0, 1], of the normal distribution cut to [a, b]: a draw when q is uniform. In [a, b]. */
double kd_truncnorm_quantile(double q, double a, double b);

/* log density at x of the normal distribution (mean, deviation) cut to [low, high]; -INFINITY outside. */
double kd_truncnorm_log_density(double x, double mean, double deviation, double low, double high);

#endif
