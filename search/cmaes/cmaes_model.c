#include "search/cmaes/cmaes_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/cmaes/cmaes_rates.h"
#include "search/math/eigen.h"
#include "search/math/linalg.h"
#include "search/math/special.h"

/* A larger condition number than this cannot be told from rounding. */
#define LARGEST_CONDITION 1e14

static double square(double x)
{
    return x * x;
}

static double power_of(double base, int64_t exponent)
{
    double result = 1;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2)
            result *= base;
        base *= base;
    }
    return result;
}

/* (sum w)^2 / sum w^2 of n raw weights; 0 when there are none. */
static double effective(int n, const double *raw)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        sum += raw[i];
        squares += raw[i] * raw[i];
    }
    return squares > 0 ? sum * sum / squares : 0;
}

/* Table 1: the rates from d and mu_eff. */
static void set_rates(struct kd_cma *cma)
{
    double d = cma->d > 0 ? cma->d : 1, mu_eff = cma->mu_eff,
           root = sqrt((mu_eff - 1) / (d + 1)) - 1;
    double cmu = 2 * (mu_eff - 2 + 1 / mu_eff) / (square(d + 2) + mu_eff);
    cma->c1 = 2 / (square(d + 1.3) + mu_eff);
    cma->cmu = cmu < 1 - cma->c1 - 1e-8 ? cmu : 1 - cma->c1 - 1e-8;
    cma->c_sigma = (mu_eff + 2) / (d + mu_eff + 5);
    cma->d_sigma = 1 + 2 * (root > 0 ? root : 0) + cma->c_sigma;
    cma->c_c = (4 + mu_eff / d) / (d + 4 + 2 * mu_eff / d);
    cma->chi = sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
    double gap = 1 / (10 * d * (cma->c1 + cma->cmu));
    cma->eigen_gap = gap > 1 ? (int)gap : 1;
}

/* Equations 49 to 53. */
static void set_weights(struct kd_cma *cma)
{
    int lambda = cma->lambda, mu = cma->mu;
    double *w = cma->weights, positive = 0, negative = 0;
    for (int i = 0; i < lambda; i++)
        w[i] = kd_ln((lambda + 1) / 2.0) - kd_ln(i + 1);
    double mu_eff_minus = effective(lambda - mu, &w[mu]);
    cma->mu_eff = effective(mu, w);
    set_rates(cma);
    for (int i = 0; i < lambda; i++) {
        positive += w[i] > 0 ? w[i] : 0;
        negative -= w[i] < 0 ? w[i] : 0;
    }
    double limits[3] = {1 + cma->c1 / cma->cmu, 1 + 2 * mu_eff_minus / (cma->mu_eff + 2),
                        (1 - cma->c1 - cma->cmu) / ((cma->d > 0 ? cma->d : 1) * cma->cmu)};
    double least = limits[0];
    for (int i = 1; i < 3; i++)
        least = limits[i] < least ? limits[i] : least;
    for (int i = 0; i < lambda; i++)
        w[i] = w[i] > 0 ? w[i] / positive : negative > 0 ? w[i] * least / negative : 0;
}

struct kd_cma *kd_cma_new(int d, int lambda, const double *mean, double sigma, const double *cov)
{
    size_t n = (size_t)d, bytes = n * sizeof(double);
    struct kd_cma *cma = KD_NEW(struct kd_cma);
    *cma = (struct kd_cma){.d = d, .lambda = lambda, .mu = lambda / 2, .sigma = sigma};
    cma->weights = KD_NEW_ARRAY(double, (size_t)lambda);
    cma->mean = KD_NEW_ARRAY(double, n + 1);
    cma->path_sigma = KD_NEW_ARRAY(double, n + 1);
    cma->path_c = KD_NEW_ARRAY(double, n + 1);
    cma->lengths = KD_NEW_ARRAY(double, n + 1);
    cma->cov = KD_NEW_ARRAY(double, n *n + 1);
    cma->vectors = KD_NEW_ARRAY(double, n *n + 1);
    cma->scratch = KD_NEW_ARRAY(double, n *n + 3 * n + (size_t)lambda + 1);
    set_weights(cma);
    if (d == 0)
        return cma;
    memcpy(cma->mean, mean, bytes);
    for (size_t i = 0; i < n && !cov; i++)
        cma->cov[i * n + i] = 1;
    if (cov)
        memcpy(cma->cov, cov, n * bytes);
    kd_cma_decompose(cma);
    return cma;
}

void kd_cma_free(struct kd_cma *cma)
{
    if (!cma)
        return;
    kd_cma_rates_free(cma->rates);
    free(cma->weights);
    free(cma->mean);
    free(cma->path_sigma);
    free(cma->path_c);
    free(cma->lengths);
    free(cma->cov);
    free(cma->vectors);
    free(cma->scratch);
    free(cma);
}

void kd_cma_adapt_rates(struct kd_cma *cma)
{
    if (!cma->rates && cma->d > 0)
        cma->rates = kd_cma_rates_new(cma->d);
}

double kd_cma_deviation(const struct kd_cma *cma, int j)
{
    return sqrt(cma->cov[(size_t)j * (size_t)cma->d + (size_t)j]);
}

/* Lifts all eigenvalues by the same amount where the least is too small beside the largest. */
static void lift(struct kd_cma *cma, double *values)
{
    int d = cma->d;
    double least = values[d - 1] / LARGEST_CONDITION, by = least - values[0];
    if (!(by > 0))
        return;
    for (int i = 0; i < d; i++) {
        values[i] += by;
        cma->cov[(size_t)i * (size_t)d + (size_t)i] += by;
    }
}

static void start_round(struct kd_cma *cma)
{
    size_t n = (size_t)cma->d;
    memset(cma->cov, 0, n * n * sizeof *cma->cov);
    memset(cma->vectors, 0, n * n * sizeof *cma->vectors);
    for (size_t i = 0; i < n; i++) {
        cma->cov[i * n + i] = cma->vectors[i * n + i] = 1;
        cma->lengths[i] = 1;
    }
}

void kd_cma_decompose(struct kd_cma *cma)
{
    size_t n = (size_t)cma->d;
    double *copy = cma->scratch;
    memcpy(copy, cma->cov, n * n * sizeof *copy);
    bool ok = kd_eigen_symmetric(cma->d, copy, cma->lengths, cma->vectors, &copy[n * n]);
    cma->since_eigen = 0;
    if (!ok || !(cma->lengths[n - 1] > 0)) { /* numbers beyond use: begin with a ball again */
        start_round(cma);
        return;
    }
    lift(cma, cma->lengths);
    for (size_t i = 0; i < n; i++)
        cma->lengths[i] = sqrt(cma->lengths[i]);
}

void kd_cma_step(const struct kd_cma *cma, const double *z, double *y)
{
    int d = cma->d;
    memset(y, 0, (size_t)d * sizeof *y);
    for (int i = 0; i < d; i++) {
        const double *row = &cma->vectors[(size_t)i * (size_t)d];
        double factor = z[i] * cma->lengths[i];
        for (int j = 0; j < d; j++)
            y[j] += factor * row[j];
    }
}

void kd_cma_whiten(const struct kd_cma *cma, const double *y, double *z)
{
    int d = cma->d;
    for (int i = 0; i < d; i++)
        z[i] = kd_dot(&cma->vectors[(size_t)i * (size_t)d], y, d) / cma->lengths[i];
}

/* The squared length of C^(-1/2) y. */
static double squared_length(const struct kd_cma *cma, const double *y)
{
    double sum = 0;
    for (int i = 0; i < cma->d; i++) {
        const double *row = &cma->vectors[(size_t)i * (size_t)cma->d];
        double at = kd_dot(row, y, cma->d) / cma->lengths[i];
        sum += at * at;
    }
    return sum;
}

/* C^(-1/2) y = B z for the white coordinates z of y. */
static void turn_back(const struct kd_cma *cma, const double *z, double *out)
{
    int d = cma->d;
    memset(out, 0, (size_t)d * sizeof *out);
    for (int i = 0; i < d; i++) {
        const double *row = &cma->vectors[(size_t)i * (size_t)d];
        for (int j = 0; j < d; j++)
            out[j] += z[i] * row[j];
    }
}

double kd_cma_length(const struct kd_cma *cma, const double *y)
{
    return sqrt(squared_length(cma, y));
}

void kd_cma_clip(const struct kd_cma *cma, double *y)
{
    double d = cma->d, most = sqrt(d) + 2 * d / (d + 2), length = kd_cma_length(cma, y);
    for (int j = 0; j < cma->d && length > most; j++)
        y[j] *= most / length;
}

/* The weighted mean of the best mu steps (equation 41). */
static void recombine(const struct kd_cma *cma, const double *steps, double *mean_step)
{
    memset(mean_step, 0, (size_t)cma->d * sizeof *mean_step);
    for (int k = 0; k < cma->mu; k++) {
        for (int j = 0; j < cma->d; j++)
            mean_step[j] += cma->weights[k] * steps[(size_t)k * (size_t)cma->d + (size_t)j];
    }
}

/* Equations 43 to 45; returns whether p_c may grow (h_sigma). */
static bool move_paths(struct kd_cma *cma, const double *mean_step, double *white, double *z)
{
    int d = cma->d;
    double keep = 1 - cma->c_sigma, fresh = sqrt(cma->c_sigma * (1 + keep) * cma->mu_eff);
    kd_cma_whiten(cma, mean_step, z);
    turn_back(cma, z, white);
    for (int j = 0; j < d; j++)
        cma->path_sigma[j] = keep * cma->path_sigma[j] + fresh * white[j];
    double length = sqrt(kd_dot(cma->path_sigma, cma->path_sigma, d));
    double share = 1 - power_of(keep, 2 * (cma->generation + 1));
    bool may_grow = length / sqrt(share) < (1.4 + 2 / (d + 1.0)) * cma->chi;
    fresh = may_grow ? sqrt(cma->c_c * (2 - cma->c_c) * cma->mu_eff) : 0;
    for (int j = 0; j < d; j++)
        cma->path_c[j] = (1 - cma->c_c) * cma->path_c[j] + fresh * mean_step[j];
    cma->sigma *= kd_exp(cma->c_sigma / cma->d_sigma * (length / cma->chi - 1));
    return may_grow;
}

/* The weight of each step in the covariance (equation 46), times c_mu; returns the sum of the plain
 * weights. */
static double covariance_weights(const struct kd_cma *cma, const double *steps, double *weights)
{
    double sum = 0;
    for (int k = 0; k < cma->lambda; k++) {
        double w = cma->weights[k];
        sum += w;
        if (w < 0)
            w *= cma->d / (squared_length(cma, &steps[(size_t)k * (size_t)cma->d]) + 1e-8);
        weights[k] = cma->cmu * w;
    }
    return sum;
}

/* Equation 47, the lower triangle. */
static void move_covariance(struct kd_cma *cma, const double *steps, bool may_grow, double *weights)
{
    size_t d = (size_t)cma->d;
    double sum = covariance_weights(cma, steps, weights);
    double lost = may_grow ? 0 : cma->c_c * (2 - cma->c_c);
    double keep = 1 + cma->c1 * lost - cma->c1 - cma->cmu * sum;
    for (size_t i = 0; i < d; i++) {
        double *row = &cma->cov[i * d], along = cma->c1 * cma->path_c[i];
        for (size_t j = 0; j <= i; j++)
            row[j] = keep * row[j] + along * cma->path_c[j];
        for (int k = 0; k < cma->lambda; k++) {
            const double *y = &steps[(size_t)k * d];
            double factor = weights[k] * y[i];
            for (size_t j = 0; j <= i; j++)
                row[j] += factor * y[j];
        }
    }
}

void kd_cma_update(struct kd_cma *cma, const double *steps)
{
    size_t d = (size_t)cma->d;
    if (d == 0)
        return;
    double *mean_step = cma->scratch, *white = &mean_step[d], *weights = &white[d];
    if (cma->rates)
        kd_cma_rates_before(cma->rates, cma);
    recombine(cma, steps, mean_step);
    for (size_t j = 0; j < d; j++)
        cma->mean[j] += cma->sigma * mean_step[j];
    bool may_grow = move_paths(cma, mean_step, white, weights);
    move_covariance(cma, steps, may_grow, weights);
    cma->generation++;
    if (cma->rates)
        kd_cma_rates_after(cma->rates, cma);
    else if (++cma->since_eigen >= cma->eigen_gap)
        kd_cma_decompose(cma);
}
