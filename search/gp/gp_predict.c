/* gp_predict.c - mean, variance and their derivatives at eight points side by side (Rasmussen and
 * Williams 2006, equations 2.25 and 2.26). */
#include <math.h>
#include <string.h>

#include "search/gp/gp.h"
#include "search/gp/gp_kernel.h"
#include "search/math/linalg.h"
#include "search/math/special.h"

static const double *column(const struct kd_gp *gp, int j)
{
    return &gp->columns[(size_t)j * (size_t)gp->capacity];
}

static size_t lanes_size(const struct kd_gp *gp)
{
    return (size_t)gp->n * KD_LANES * sizeof(double);
}

void kd_gp_predict(struct kd_gp *gp, const double *points, struct kd_gp_prediction to)
{
    double variance = kd_exp(gp->theta[gp->n_dims]), known[KD_LANES];
    memset(gp->lane_k, 0, lanes_size(gp));
    for (int j = 0; j < gp->n_dims; j++)
        kd_gp_add_squares_lanes(column(gp, j), &points[j * KD_LANES], gp->n, gp->is_category[j],
                                gp->weights[j], gp->lane_k);
    kd_matern_slopes(gp->lane_k, gp->n * KD_LANES, variance, gp->lane_k, gp->lane_slope);
    kd_dot_shared(gp->alpha, gp->lane_k, gp->n, to.mean);
    memcpy(gp->lane_v, gp->lane_k, lanes_size(gp));
    kd_cholesky_forward_lanes(gp->factor, gp->capacity, gp->n, gp->lane_v);
    kd_dot_lanes(gp->lane_v, gp->lane_v, gp->n, known);
    for (int lane = 0; lane < KD_LANES; lane++) {
        double left = variance - known[lane], least = 1e-12 * variance;
        to.variance[lane] = left > least ? left : least;
    }
}

/* slope[i][lane] * pull[i] or pull[i][lane], times the difference, summed over i. */
static void differentiate(const struct kd_gp *gp, int j, const double *x, const double *pull,
                          double *slopes)
{
    const double *at = column(gp, j);
    double sums[KD_LANES] = {0};
    for (int i = 0; i < gp->n; i++) {
        for (int lane = 0; lane < KD_LANES; lane++)
            sums[lane] += pull[i * KD_LANES + lane] * (at[i] - x[lane]);
    }
    for (int lane = 0; lane < KD_LANES; lane++)
        slopes[lane] = gp->weights[j] * sums[lane];
}

void kd_gp_predict_slopes(struct kd_gp *gp, const double *points, struct kd_gp_prediction to)
{
    double *mean_pull = gp->lane_k, *variance_pull = gp->lane_v;
    kd_cholesky_backward_lanes(gp->factor, gp->capacity, gp->n, gp->lane_v);
    for (int i = 0; i < gp->n * KD_LANES; i++) {
        mean_pull[i] = gp->alpha[i / KD_LANES] * gp->lane_slope[i];
        variance_pull[i] *= -2 * gp->lane_slope[i];
    }
    for (int j = 0; j < gp->n_dims; j++) {
        double *mean = &to.mean[j * KD_LANES], *variance = &to.variance[j * KD_LANES];
        memset(mean, 0, KD_LANES * sizeof *mean);
        memset(variance, 0, KD_LANES * sizeof *variance);
        if (gp->is_category[j])
            continue;
        differentiate(gp, j, &points[j * KD_LANES], mean_pull, mean);
        differentiate(gp, j, &points[j * KD_LANES], variance_pull, variance);
    }
}
