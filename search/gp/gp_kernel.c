/* gp_kernel.c - an exponential without branches, so that compilers vectorise the loops around
 * it. */
#include "search/gp/gp_kernel.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "search/math/linalg.h"

typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));

#define ROUND 0x1.8p52 /* adding it leaves a double without digits behind the point */

/* sqrt(5 r2), at most 700, where the covariance is nothing beside any other. */
static inline double distance(double r2)
{
    double t = sqrt(5 * r2);
    return t < 700 ? t : 700;
}

/* e^-t for 0 <= t <= 700: 2^k e^r with |r| <= ln(2)/2, e^r by its series to the 13th power. */
static inline double exp_minus(double t)
{
    double x = -t, rounded = x * 0x1.71547652b82fep+0 + ROUND;
    uint64_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    double k = rounded - ROUND;
    double r = (x - k * 0x1.62e42fee00000p-1) - k * 0x1.a39ef35793c76p-33;
    double r2 = r * r, r4 = r2 * r2;
    double low = (1 + r) + r2 * (1.0 / 2 + r * (1.0 / 6));
    double middle = (1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720 + r * (1.0 / 5040));
    double high = (1.0 / 40320 + r * (1.0 / 362880)) + r2 * (1.0 / 3628800 + r * (1.0 / 39916800)) +
                  r4 * (1.0 / 479001600 + r * (1.0 / 6227020800));
    uint64_t power = (bits + 1023) << 52;
    double scale;
    memcpy(&scale, &power, sizeof scale);
    return scale * (low + r4 * (middle + r4 * high));
}

void kd_matern_values(const double *r2, int n, double variance, double *k)
{
    for (int i = 0; i < n; i++) {
        double t = distance(r2[i]);
        k[i] = variance * exp_minus(t) * (1 + t + t * t * (1.0 / 3));
    }
}

void kd_matern_slopes(const double *r2, int n, double variance, double *k, double *slope)
{
    for (int i = 0; i < n; i++) {
        double t = distance(r2[i]), e = variance * exp_minus(t);
        k[i] = e * (1 + t + t * t * (1.0 / 3));
        slope[i] = e * (1 + t) * (5.0 / 3);
    }
}

void kd_gp_squares(const double *restrict column, double x, int n, bool is_category,
                   double *restrict squares)
{
    if (is_category) {
        for (int i = 0; i < n; i++)
            squares[i] = column[i] == x ? 0 : 1;
        return;
    }
    for (int i = 0; i < n; i++)
        squares[i] = (column[i] - x) * (column[i] - x);
}

static void add_differing(const double *column, const double *x, int n, double weight, double *r2)
{
    for (int i = 0; i < n; i++, r2 += KD_LANES) {
        for (int lane = 0; lane < KD_LANES; lane++)
            r2[lane] += column[i] == x[lane] ? 0 : weight;
    }
}

void kd_gp_add_squares_lanes(const double *column, const double *x, int n, bool is_category,
                             double weight, double *r2)
{
    if (is_category) {
        add_differing(column, x, n, weight, r2);
        return;
    }
    const pair *at = (const pair *)x;
    pair x0 = at[0], x1 = at[1], x2 = at[2], x3 = at[3], w = {weight, weight};
    pair *to = (pair *)r2;
    for (int i = 0; i < n; i++, to += KD_LANES / 2) {
        pair c = {column[i], column[i]};
        to[0] += w * ((c - x0) * (c - x0));
        to[1] += w * ((c - x1) * (c - x1));
        to[2] += w * ((c - x2) * (c - x2));
        to[3] += w * ((c - x3) * (c - x3));
    }
}
