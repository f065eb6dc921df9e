#include "search/gp/gp_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/lbfgs.h"
#include "search/math/special.h"

/* A normal distribution of one logarithm, and how far it may go. */
struct prior {
    double mean, deviation, lower, upper;
};

double kd_gp_expected_length(int n_dims)
{
    return -0.8 + kd_ln(n_dims) / 2;
}

static struct prior prior_of(int n_dims, int i)
{
    if (i == n_dims)
        return (struct prior){0, 1.5, -5, 12};
    if (i > n_dims)
        return (struct prior){-11.5, 3, -18.4, 1};
    return (struct prior){kd_gp_expected_length(n_dims), 1, -5, 8};
}

void kd_gp_guess(int n_dims, double *theta)
{
    for (int j = 0; j < n_dims; j++)
        theta[j] = kd_gp_expected_length(n_dims);
    theta[n_dims] = 0;
    theta[n_dims + 1] = -9;
}

/* Minus the logarithm of the posterior, and its gradient. */
static double cost(struct kd_gp *gp, const double *theta, double *gradient)
{
    double value = -kd_gp_evidence(gp, theta, gradient);
    for (int i = 0; i < kd_gp_n_theta(gp->n_dims); i++) {
        struct prior prior = prior_of(gp->n_dims, i);
        double z = (theta[i] - prior.mean) / prior.deviation;
        value += z * z / 2;
        gradient[i] = z / prior.deviation - gradient[i];
    }
    return value;
}

double kd_gp_fit(struct kd_gp *gp, double *theta, int max_evaluations)
{
    int n_theta = kd_gp_n_theta(gp->n_dims);
    double *box = KD_NEW_ARRAY(double, 3 * (size_t)n_theta);
    double *lower = box, *upper = box + n_theta, *gradient = box + 2 * n_theta, value;
    for (int i = 0; i < n_theta; i++) {
        struct prior prior = prior_of(gp->n_dims, i);
        lower[i] = prior.lower, upper[i] = prior.upper;
    }
    struct kd_lbfgs search;
    kd_lbfgs_init(&search, n_theta);
    search.max_evaluations = max_evaluations;
    search.gradient_tolerance = 1e-2;
    search.value_tolerance = 1e-5;
    search.first_step = 1;
    kd_lbfgs_start(&search, theta, lower, upper);
    do
        value = cost(gp, search.trial, gradient);
    while (kd_lbfgs_tell(&search, value, gradient));
    memcpy(theta, search.x, (size_t)n_theta * sizeof *theta);
    double best = -search.f;
    kd_lbfgs_release(&search);
    free(box);
    return best;
}
