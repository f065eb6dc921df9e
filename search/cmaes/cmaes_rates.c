#include "search/cmaes/cmaes_rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/cmaes/cmaes_model.h"
#include "search/math/eigen.h"
#include "search/math/linalg.h"
#include "search/math/special.h"

/* The paper's constants. */
#define ALPHA     1.4
#define BETA_MEAN 0.1
#define BETA_COV  0.03
#define GAMMA     0.1

struct kd_cma_rates *kd_cma_rates_new(int d)
{
    size_t n = (size_t)d;
    struct kd_cma_rates *rates = KD_NEW(struct kd_cma_rates);
    rates->mean = (struct kd_cma_rate){
        .n = d, .average = KD_NEW_ARRAY(double, n), .beta = BETA_MEAN, .rate = 1};
    rates->cov = (struct kd_cma_rate){
        .n = d * d, .average = KD_NEW_ARRAY(double, n *n), .beta = BETA_COV, .rate = 1};
    rates->old_mean = KD_NEW_ARRAY(double, n);
    rates->old_cov = KD_NEW_ARRAY(double, n *n);
    rates->scratch = KD_NEW_ARRAY(double, 3 * n * n);
    return rates;
}

void kd_cma_rates_free(struct kd_cma_rates *rates)
{
    if (!rates)
        return;
    free(rates->mean.average);
    free(rates->cov.average);
    free(rates->old_mean);
    free(rates->old_cov);
    free(rates->scratch);
    free(rates);
}

/* sigma^2 C, both triangles. */
static void whole_covariance(const struct kd_cma *cma, double *out)
{
    size_t d = (size_t)cma->d;
    double factor = cma->sigma * cma->sigma;
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j <= i; j++)
            out[i * d + j] = out[j * d + i] = factor * cma->cov[i * d + j];
    }
}

void kd_cma_rates_before(struct kd_cma_rates *rates, const struct kd_cma *cma)
{
    memcpy(rates->old_mean, cma->mean, (size_t)cma->d * sizeof *rates->old_mean);
    rates->old_sigma = cma->sigma;
    whole_covariance(cma, rates->old_cov);
}

/* out = a b', all d x d. */
static void multiply_transposed(int d, const double *a, const double *b, double *out)
{
    size_t n = (size_t)d;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++)
            out[i * n + j] = kd_dot(&a[i * n], &b[j * n], d);
    }
}

/* The root of the old covariance, inverted: V' diag(1 / length) V / sigma. Needs the old
 * decomposition. */
static void inverse_root(const struct kd_cma *cma, double sigma, double *out)
{
    size_t d = (size_t)cma->d;
    memset(out, 0, d * d * sizeof *out);
    for (size_t k = 0; k < d; k++) {
        const double *v = &cma->vectors[k * d];
        double factor = 1 / (cma->lengths[k] * sigma);
        for (size_t i = 0; i < d; i++) {
            for (size_t j = 0; j < d; j++)
                out[i * d + j] += factor * v[i] * v[j];
        }
    }
}

/* Equations 11 to 16: the averages take the new step in, the rate follows the ratio of signal and
 * noise. */
static void adapt(struct kd_cma_rate *rate, const double *step)
{
    double beta = rate->beta;
    for (int i = 0; i < rate->n; i++)
        rate->average[i] = (1 - beta) * rate->average[i] + beta * step[i];
    rate->square = (1 - beta) * rate->square + beta * kd_dot(step, step, rate->n);
    double signal = kd_dot(rate->average, rate->average, rate->n);
    double ratio = (signal - beta / (2 - beta) * rate->square) / (rate->square - signal);
    double change = ratio / (ALPHA * rate->rate) - 1;
    change = change < -1 ? -1 : change > 1 ? 1 : change;
    if (isnan(change)) /* no step at all */
        return;
    double pace = GAMMA * rate->rate < beta ? GAMMA * rate->rate : beta;
    rate->rate *= kd_exp(pace * change);
    rate->rate = rate->rate < 1 ? rate->rate : 1;
}

/* Both steps in local coordinates, and the two rates from them. */
static void adapt_both(struct kd_cma_rates *rates, const struct kd_cma *cma, const double *change)
{
    int d = cma->d;
    size_t n = (size_t)d, size = n * n;
    double *root = rates->scratch, *half = &root[size], *local = &half[size];
    inverse_root(cma, rates->old_sigma, root);
    for (size_t j = 0; j < n; j++)
        half[j] = cma->mean[j] - rates->old_mean[j];
    for (size_t i = 0; i < n; i++)
        local[i] = kd_dot(&root[i * n], half, d);
    adapt(&rates->mean, local);
    multiply_transposed(d, root, change, half);
    multiply_transposed(d, half, root, local);
    for (size_t i = 0; i < size; i++)
        local[i] /= sqrt(2);
    adapt(&rates->cov, local);
}

/* sigma^2 C = total: sigma so that the eigenvalues of C have the product 1. */
static void split_scale(struct kd_cma *cma, const double *total)
{
    size_t d = (size_t)cma->d;
    memcpy(cma->cov, total, d * d * sizeof *total);
    kd_cma_decompose(cma);
    double sum = 0;
    for (size_t i = 0; i < d; i++)
        sum += kd_ln(cma->lengths[i]);
    cma->sigma = kd_exp(sum / cma->d);
    for (size_t i = 0; i < d * d; i++)
        cma->cov[i] /= cma->sigma * cma->sigma;
    for (size_t i = 0; i < d; i++)
        cma->lengths[i] /= cma->sigma;
}

void kd_cma_rates_after(struct kd_cma_rates *rates, struct kd_cma *cma)
{
    size_t d = (size_t)cma->d, size = d * d;
    double before = rates->mean.rate, *change = KD_NEW_ARRAY(double, size);
    whole_covariance(cma, change);
    for (size_t i = 0; i < size; i++)
        change[i] -= rates->old_cov[i];
    adapt_both(rates, cma, change);
    for (size_t j = 0; j < d; j++)
        cma->mean[j] = rates->old_mean[j] + rates->mean.rate * (cma->mean[j] - rates->old_mean[j]);
    for (size_t i = 0; i < size; i++)
        change[i] = rates->old_cov[i] + rates->cov.rate * change[i];
    split_scale(cma, change);
    cma->sigma *= before / rates->mean.rate;
    free(change);
}
