#include "search/gp/acquisition.h"

#include <math.h>
#include <string.h>

#include "search/math/linalg.h"
#include "search/math/special.h"

#define SQRT_HALF_PI 0x1.40d931ff62706p+0
#define XI           0.01
#define KAPPA        1.96

/* Phi(u) / phi(u), u <= 0 */
static double mills(double u)
{
    return SQRT_HALF_PI * kd_erfcx(-u * KD_SQRT_HALF);
}

/* 1 + u Phi/phi = 1/u^2 - 3/u^4 + 15/u^6 - ..., for u far below 0, where the sum itself would
 * cancel. */
static double far_rest(double u)
{
    double t = 1 / (u * u);
    return t * (1 - t * (3 - t * (15 - t * (105 - t * (945 - t * 10395)))));
}

double kd_log_h(double u, double *slope)
{
    enum { FAR = -40 };
    double log_phi = -u * u / 2 - KD_LOG_SQRT_2_PI;
    if (u > 0) {
        double cdf = kd_normal_cdf(u), h = kd_exp(log_phi) + u * cdf;
        *slope = cdf / h;
        return kd_ln(h);
    }
    double ratio = mills(u), rest = u < FAR ? far_rest(u) : 1 + u * ratio;
    *slope = ratio / rest;
    return log_phi + kd_ln(rest);
}

/* ln Phi(u) */
static double log_cdf(double u, double *slope)
{
    if (u < 0)
        *slope = 1 / mills(u);
    else
        *slope = kd_exp(-u * u / 2 - KD_LOG_SQRT_2_PI) / kd_normal_cdf(u);
    return kd_normal_log_cdf(u);
}

/* A value with its derivatives in the mean and in the variance. */
struct score {
    double value, in_mean, in_variance;
};

static struct score below(double limit, double mean, double variance)
{
    double sd = sqrt(variance), u = (limit - mean) / sd, slope;
    struct score score = {.value = log_cdf(u, &slope)};
    score.in_mean = -slope / sd;
    score.in_variance = -slope * u / (2 * variance);
    return score;
}

static struct score hope_for(const struct kd_acquisition *acquisition, double mean, double variance)
{
    double sd = sqrt(variance), best = acquisition->best;
    if (acquisition->hope == KD_HOPE_LCB)
        return (struct score){KAPPA * sd - mean, -1, KAPPA / (2 * sd)};
    if (acquisition->hope == KD_HOPE_PI)
        return below(best - XI, mean, variance);
    double u = (best - mean) / sd, slope;
    struct score score = {.value = kd_ln(sd) + kd_log_h(u, &slope)};
    score.in_mean = -slope / sd;
    score.in_variance = (1 - slope * u) / (2 * variance);
    return score;
}

/* Adds what one process has to say. limit NULL: the objective. */
static void add_process(struct kd_acquisition *acquisition, struct kd_gp *gp, const double *limit,
                        const double *points, double *values, double *slopes)
{
    double mean[KD_LANES], variance[KD_LANES];
    struct score scores[KD_LANES];
    kd_gp_predict(gp, points, (struct kd_gp_prediction){mean, variance});
    for (int lane = 0; lane < KD_LANES; lane++) {
        scores[lane] = limit ? below(*limit, mean[lane], variance[lane])
                             : hope_for(acquisition, mean[lane], variance[lane]);
        values[lane] += scores[lane].value;
    }
    if (!slopes)
        return;
    size_t size = (size_t)gp->n_dims * KD_LANES;
    struct kd_gp_prediction by = {acquisition->scratch, acquisition->scratch + size};
    kd_gp_predict_slopes(gp, points, by);
    for (size_t i = 0; i < size; i++) {
        const struct score *score = &scores[i % KD_LANES];
        slopes[i] += score->in_mean * by.mean[i] + score->in_variance * by.variance[i];
    }
}

void kd_acquisition_at(struct kd_acquisition *acquisition, const double *points, double *values,
                       double *slopes)
{
    memset(values, 0, KD_LANES * sizeof *values);
    if (slopes)
        memset(slopes, 0, (size_t)acquisition->objective->n_dims * KD_LANES * sizeof *slopes);
    if (acquisition->has_best)
        add_process(acquisition, acquisition->objective, NULL, points, values, slopes);
    for (int i = 0; i < acquisition->n_constraints; i++)
        add_process(acquisition, acquisition->constraints[i], &acquisition->limits[i], points,
                    values, slopes);
}
