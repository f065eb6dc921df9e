#include "search/gp/gp_warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/special.h"

static const double FAR = 1e6; /* no value is farther than so many medians from the best */

double kd_yeo_johnson(double z, double lambda)
{
    double log = kd_log1p(z);
    return lambda == 0 ? log : (kd_exp(lambda * log) - 1) / lambda;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of values that are mostly equal, the first that differs decides. */
struct kd_warp_scale kd_warp_scale_of(const double *values, int n)
{
    double *sorted = KD_NEW_ARRAY(double, (size_t)n);
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    struct kd_warp_scale scale = {sorted[0], 1};
    for (int i = n / 4; i < n; i++) {
        double spread = sorted[i] / 2 - sorted[0] / 2; /* halves: no difference overflows */
        if (spread <= 0)
            continue;
        scale.spread = spread;
        break;
    }
    free(sorted);
    return scale;
}

static double distance(struct kd_warp_scale scale, double value)
{
    double z = (value / 2 - scale.best / 2) / scale.spread;
    return z < 0 ? 0 : z < FAR ? z : FAR;
}

static double standardise(double *targets, int n)
{
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++)
        mean += targets[i];
    mean /= n;
    for (int i = 0; i < n; i++) {
        targets[i] -= mean;
        square += targets[i] * targets[i];
    }
    double deviation = square > 0 ? sqrt(square / n) : 1;
    for (int i = 0; i < n; i++)
        targets[i] /= deviation;
    return deviation;
}

double kd_warp(struct kd_warp_scale scale, const double *values, int n, double lambda,
               double *targets)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double z = distance(scale, values[i]);
        sum += (lambda - 1) * kd_log1p(z);
        targets[i] = kd_yeo_johnson(z, lambda);
    }
    return sum - n * kd_ln(standardise(targets, n));
}
