#include "search/math/special.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/special_tables.h"

/* ln 2 in two parts; the first has 21 trailing zero bits, so that k times it is exact for every
 * exponent k. */
#define LN2_HIGH  0x1.62e42fee00000p-1
#define LN2_LOW   0x1.a39ef35793c76p-33
#define LOG2_E    0x1.71547652b82fep+0
#define SQRT_2_PI 0x1.40d931ff62706p+1

#define POLYNOMIAL(table, x) horner(table, (int)KD_COUNT(table), x)

/* Even and odd powers apart: two short chains of operations instead of a long one, which a
 * processor overlaps. */
static inline double horner(const double *c, int n, double x)
{
    double x2 = x * x, odd = 0, even = 0;
    int i = n - 1;
    if (i % 2 == 0)
        even = c[i--];
    for (; i > 0; i -= 2) {
        odd = odd * x2 + c[i];
        even = even * x2 + c[i - 1];
    }
    return even + x * odd;
}

static inline uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^k for -1022 <= k <= 1023 */
static inline double power_of_two(int k)
{
    return of_bits((uint64_t)(k + 1023) << 52);
}

double kd_exp(double x)
{
    if (!(x > -745.2))
        return x != x ? x : 0;
    if (x > 709.8)
        return INFINITY;
    int k = (int)floor(x * LOG2_E + 0.5);
    double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double value = 1 + (r + r * r * POLYNOMIAL(exp_tail, r));
    /* In two steps, so that neither the largest nor a subnormal result leaves the range on the
     * way. */
    int half = k / 2;
    return value * power_of_two(half) * power_of_two(k - half);
}

/* x = 2^k m with sqrt(1/2) <= m < sqrt(2); x positive and finite */
static double split_exponent(double x, int *k)
{
    *k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        *k = -54;
    }
    uint64_t bits = bits_of(x);
    *k += (int)(bits >> 52) - 1022;
    double m = of_bits((bits & 0x000FFFFFFFFFFFFFu) | 0x3FE0000000000000u);
    if (m < KD_SQRT_HALF) {
        m *= 2;
        *k -= 1;
    }
    return m;
}

double kd_ln(double x)
{
    if (!(x > 0))
        return x == 0 ? -INFINITY : NAN;
    if (x == INFINITY)
        return x;
    int k;
    double f = split_exponent(x, &k) - 1;
    /* ln(1 + f) = 2 atanh(s), and 2 s = f - s f, which keeps f exact. */
    double s = f / (2 + f), s2 = s * s;
    double tail = s * (f - 2 * s2 * POLYNOMIAL(log_tail, s2));
    if (k == 0)
        return f - tail;
    return k * LN2_HIGH - ((tail - k * LN2_LOW) - f);
}

double kd_log1p(double x)
{
    double u = 1 + x;
    if (u == 1)
        return x;
    if (!(u > 0) || u == INFINITY)
        return kd_ln(u);
    return kd_ln(u) + (x - (u - 1)) / u; /* the second term is what rounding u lost */
}

double kd_erfcx(double x)
{
    if (x < 0.5) {
        double scale = kd_exp(x * x);
        return x < -26.7 ? INFINITY : scale * (1 - kd_erf(x));
    }
    if (x < 1)
        return POLYNOMIAL(erfcx_half, 4 * x - 3);
    if (x < 2)
        return POLYNOMIAL(erfcx_one, 2 * x - 3);
    if (x < 4)
        return POLYNOMIAL(erfcx_two, x - 3);
    if (x < 8)
        return POLYNOMIAL(erfcx_four, (x - 6) / 2);
    double t = 128 / x / x - 1;
    return POLYNOMIAL(erfcx_far, t) / x;
}

/* exp(-x^2 / scale) with x^2 split into an exact square and a small rest, scale 1 or 2: squaring
 * alone would lose as many digits as x^2 has before the point. */
static double exp_minus_square(double x, double scale)
{
    double high = of_bits(bits_of(x) & 0xFFFFFFFFF8000000u);
    double rest = (x - high) * (x + high);
    return kd_exp(-high * high / scale) * kd_exp(-rest / scale);
}

double kd_erf(double x)
{
    double a = fabs(x);
    if (a < 0.5)
        return x * POLYNOMIAL(erf_small, 8 * x * x - 1);
    if (a > 6)
        return x > 0 ? 1 : -1;
    double value = 1 - exp_minus_square(a, 1) * kd_erfcx(a);
    return x < 0 ? -value : value;
}

double kd_erfc(double x)
{
    if (x < 0.5)
        return 1 - kd_erf(x);
    if (x > 27.3)
        return 0;
    return exp_minus_square(x, 1) * kd_erfcx(x);
}

double kd_normal_cdf(double x)
{
    if (x > -0.5)
        return 0.5 * kd_erfc(-x * KD_SQRT_HALF);
    if (x < -38.6)
        return 0;
    return 0.5 * exp_minus_square(-x, 2) * kd_erfcx(-x * KD_SQRT_HALF);
}

double kd_normal_log_cdf(double x)
{
    if (x > 0)
        return kd_log1p(-kd_normal_cdf(-x));
    if (x > -1)
        return kd_ln(kd_normal_cdf(x));
    return -0.5 * x * x + kd_ln(0.5 * kd_erfcx(-x * KD_SQRT_HALF));
}

/* Abramowitz and Stegun 26.2.23: the quantile of p = exp(log_p) <= 1/2 to 4.5e-4. */
static double rough_quantile(double log_p)
{
    double t = sqrt(-2 * log_p);
    double numerator = 2.515517 + t * (0.802853 + t * 0.010328);
    return numerator / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
}

/* Halley's step for cdf(x) = p, given error = (cdf(x) - p) / density(x). The error is cubed each
 * time. */
static double halley(double x, double error)
{
    return x - error / (1 + 0.5 * x * error);
}

static double density(double x)
{
    return exp_minus_square(x, 2) / SQRT_2_PI;
}

double kd_normal_quantile(double p)
{
    if (!(p > 0 && p < 1))
        return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    if (p > 0.75)
        return -kd_normal_quantile(1 - p);
    if (p < 1e-290)
        return kd_normal_log_quantile(kd_ln(p));
    bool central = p > 0.25;
    double x = p <= 0.5 ? rough_quantile(kd_ln(p)) : -rough_quantile(kd_ln(1 - p));
    for (int i = 0; i < 2; i++) {
        /* Near the middle the cdf itself is no finer than 1e-16, its distance from 1/2 is. */
        double distance =
            central ? 0.5 * kd_erf(x * KD_SQRT_HALF) - (p - 0.5) : kd_normal_cdf(x) - p;
        x = halley(x, distance / density(x));
    }
    return x;
}

double kd_normal_log_quantile(double log_p)
{
    if (!(log_p < 0))
        return log_p == 0 ? INFINITY : NAN;
    if (log_p > -660) /* well above the 1e-290 where the other turns to this one */
        return kd_normal_quantile(kd_exp(log_p));
    if (log_p == -INFINITY)
        return log_p;
    double x = -sqrt(-2 * log_p);
    for (int i = 0; i < 6; i++) {
        /* Newton in the logarithm: d log cdf / dx = density / cdf = sqrt(2 / pi) / erfcx(-x /
         * sqrt(2)) */
        double slope = 2 / (SQRT_2_PI * kd_erfcx(-x * KD_SQRT_HALF));
        x -= (kd_normal_log_cdf(x) - log_p) / slope;
    }
    return x;
}

double kd_log_sum_exp(const double *x, size_t n)
{
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        max = x[i] > max || x[i] != x[i] ? x[i] : max;
    if (!isfinite(max))
        return max;
    for (size_t i = 0; i < n; i++)
        sum += kd_exp(x[i] - max);
    return max + kd_ln(sum);
}
