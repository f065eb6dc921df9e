#include "search/cmaes/cmaes_warm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/eigen.h"
#include "search/math/special.h"

/* The mean of ln(eigenvalue). */
static double mean_log_eigenvalue(int d, const double *matrix)
{
    size_t n = (size_t)d;
    double *copy = KD_NEW_ARRAY(double, 2 * n * n + 4 * n + 1), *vectors = &copy[n * n];
    double *values = &vectors[n * n], sum = 0;
    memcpy(copy, matrix, n * n * sizeof *copy);
    kd_eigen_symmetric(d, copy, values, vectors, &values[n]);
    for (size_t i = 0; i < n; i++)
        sum += kd_ln(values[i]);
    free(copy);
    return sum / d;
}

void kd_cma_warm(int d, int n, const double *points, double alpha, double *mean, double *sigma,
                 double *cov)
{
    size_t size = (size_t)d;
    memset(mean, 0, size * sizeof *mean);
    memset(cov, 0, size * size * sizeof *cov);
    for (size_t k = 0; k < (size_t)n; k++) {
        for (size_t j = 0; j < size; j++)
            mean[j] += points[k * size + j] / n;
    }
    for (size_t k = 0; k < (size_t)n; k++) {
        const double *point = &points[k * size];
        for (size_t i = 0; i < size; i++) {
            for (size_t j = 0; j < size; j++)
                cov[i * size + j] += (point[i] - mean[i]) * (point[j] - mean[j]) / n;
        }
    }
    for (size_t i = 0; i < size; i++)
        cov[i * size + i] += alpha * alpha;
    if (d == 0)
        return;
    double log_scale = mean_log_eigenvalue(d, cov), scale = kd_exp(-log_scale);
    *sigma = kd_exp(log_scale / 2);
    for (size_t i = 0; i < size * size; i++)
        cov[i] *= scale;
}
