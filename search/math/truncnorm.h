/* truncnorm.h - the normal distribution cut to an interval [a, b], in standard units; either end
 * may be infinite. Stable when the whole interval lies far out in a tail. */
#ifndef KD_SEARCH_TRUNCNORM_H
#define KD_SEARCH_TRUNCNORM_H

#include "coordinator/base/rng.h"

/* A draw from the standard normal distribution; finite. */
double kd_normal_draw(struct kd_rng *rng);

/* log(cdf(b) - cdf(a)), a <= b; -INFINITY when they are equal. */
double kd_normal_log_mass(double a, double b);

/* cdf(b) - cdf(a), a <= b, without cancellation when both are above 0. */
double kd_normal_mass(double a, double b);

/* The q-quantile, q in [0, 1], of the normal distribution cut to [a, b]: a draw when q is uniform.
 * In [a, b]. */
double kd_truncnorm_quantile(double q, double a, double b);

/* log density at x of the normal distribution (mean, deviation) cut to [low, high]; -INFINITY
 * outside. */
double kd_truncnorm_log_density(double x, double mean, double deviation, double low, double high);

/* The log mass of an interval narrower than a deviation, over w / sqrt(2 pi), plus z^2/2; z2 = z^2
 * of its middle, w2 = w^2 of its width. In here because the densities of parzen_density.c are loops
 * around it. The mass is the mean of exp(-z w t - w^2 t^2 / 2) over |t| < 1/2, whose Taylor series
 * in w has the Hermite polynomials: 1 + a + b + c + ... with a = w^2 He2(z)/24, b = w^4
 * He4(z)/1920, c = w^6 He6(z)/322560. */
static inline double kd_normal_narrow_series(double z2, double w2)
{
    double a = (z2 - 1) * (1.0 / 24);
    double b = (z2 * z2 - 6 * z2 + 3) * (1.0 / 1920);
    double c = (z2 * (z2 * (z2 - 15) + 45) - 15) * (1.0 / 322560);
    double a2 = a * a;
    return w2 * (a + w2 * (b - 0.5 * a2 + w2 * (c - a * b + a2 * a * (1.0 / 3))));
}

#endif
