#include "search/math/truncnorm.h"

#include <math.h>

#include "search/math/special.h"

/* The quantile of the middle of the 2^-53 that uniform numbers are apart, drawn in from 1. */
double kd_normal_draw(struct kd_rng *rng)
{
    return kd_normal_quantile((kd_rng_uniform(rng) + 0x1p-54) * (1 - 0x1p-53));
}

/* log(exp(x) + exp(y)) */
static double log_sum(double x, double y)
{
    double larger = x > y ? x : y, smaller = x > y ? y : x;
    return larger == -INFINITY ? larger : larger + kd_log1p(kd_exp(smaller - larger));
}

double kd_normal_mass(double a, double b)
{
    return a > 0 ? kd_normal_cdf(-a) - kd_normal_cdf(-b) : kd_normal_cdf(b) - kd_normal_cdf(a);
}

/* A cell much narrower than its distance from 0 and than 1: the difference of two cdfs would
 * cancel. */
static double log_mass_narrow(double a, double b)
{
    double width = b - a, middle = a + 0.5 * width;
    double z2 = middle * middle, series = kd_normal_narrow_series(z2, width * width);
    return kd_ln(width) - 0.5 * z2 - KD_LOG_SQRT_2_PI + series;
}

/* a < b < 0: exp(-b^2 / 2) taken out, so that nothing underflows however far the tail. */
static double log_mass_tail(double a, double b)
{
    double near = kd_erfcx(-b * KD_SQRT_HALF), far = 0;
    double drop = 0.5 * (b - a) * (b + a);
    if (drop > -745)
        far = kd_erfcx(-a * KD_SQRT_HALF) * kd_exp(drop);
    return -0.5 * b * b + kd_ln(0.5 * (near - far));
}

double kd_normal_log_mass(double a, double b)
{
    if (a > 0)
        return kd_normal_log_mass(-b, -a);
    if (!(a < b))
        return a == b ? -INFINITY : NAN;
    double width = b - a;
    if (width < 0.001 && width * -a < 0.01)
        return log_mass_narrow(a, b);
    if (b < -1)
        return log_mass_tail(a, b);
    if (b <= 0)
        return kd_ln(kd_normal_cdf(b) - kd_normal_cdf(a));
    double outside = kd_normal_cdf(a) + kd_normal_cdf(-b);
    return outside < 0.5 ? kd_log1p(-outside) : kd_ln(kd_normal_cdf(b) - kd_normal_cdf(a));
}

/* a <= 0 and a <= -b's side: the interval leans to the left, so cdf(a) keeps its digits. */
static double quantile_left(double q, double a, double b)
{
    if (b < -5) {
        double share = kd_ln(q) + kd_normal_log_mass(a, b);
        return kd_normal_log_quantile(log_sum(kd_normal_log_cdf(a), share));
    }
    double p = kd_normal_cdf(a) + q * kd_normal_mass(a, b);
    if (p <= 0.5)
        return kd_normal_quantile(p);
    return -kd_normal_quantile(kd_normal_cdf(-b) + (1 - q) * kd_normal_mass(a, b));
}

double kd_truncnorm_quantile(double q, double a, double b)
{
    double x = a > 0 ? -quantile_left(1 - q, -b, -a) : quantile_left(q, a, b);
    return x < a ? a : x > b ? b : x;
}

double kd_truncnorm_log_density(double x, double mean, double deviation, double low, double high)
{
    if (x < low || x > high)
        return -INFINITY;
    double z = (x - mean) / deviation;
    double mass = kd_normal_log_mass((low - mean) / deviation, (high - mean) / deviation);
    return -0.5 * z * z - KD_LOG_SQRT_2_PI - kd_ln(deviation) - mass;
}
