/* cmaes_surrogate.h - a quadratic through the finished points near the mean: which of several draws
 * to try, and where the minimum may be.
 *
 * After Hansen, "A global surrogate assisted CMA-ES" (lq-CMA-ES, GECCO 2019): weighted least
 * squares, the better points weigh more, full where there are few dimensions and points enough,
 * otherwise without mixed terms; its minimum is injected. There the model stands in for
 * evaluations; here every trial is evaluated, and the model only chooses among draws, as many as
 * its ranks of the last generations were right (Kendall's tau).
 *
 * Points are given in white coordinates, z of kd_cma_step: the distribution is a ball of radius
 * sqrt(d). */
#ifndef KD_SEARCH_CMAES_SURROGATE_H
#define KD_SEARCH_CMAES_SURROGATE_H

#include <stdbool.h>

enum {
    KD_SURROGATE_FULL = 10, /* dimensions up to which there are mixed terms */
    KD_SURROGATE_MOST = 64, /* and up to which there is a model */
};

struct kd_cma_surrogate {
    int d;
    bool has_model, has_minimum;
    /* value(z) = constant + slope z + z' curve z / 2 */
    double constant, *slope, *curve; /* owned; d; d x d */
    double *minimum; /* owned; d: of the value, not farther than injected points may be */
    double trust;    /* running mean of tau, -1 .. 1; 0 at first */
    double *scratch; /* owned; d x d */
};

void kd_cma_surrogate_init(struct kd_cma_surrogate *surrogate, int d);
void kd_cma_surrogate_release(struct kd_cma_surrogate *surrogate);

/* points: n rows of d, values: n finite ones. Has no model afterwards when they are too few or all
 * equal. */
void kd_cma_surrogate_fit(struct kd_cma_surrogate *surrogate, int n, const double *points,
                          const double *values);

double kd_cma_surrogate_value(const struct kd_cma_surrogate *surrogate, const double *z);

/* A new generation, best first, that the model has not seen: how right were its ranks? */
void kd_cma_surrogate_judge(struct kd_cma_surrogate *surrogate, int n, const double *points);

/* Draws to choose among, 1 .. 4, by trust. */
int kd_cma_surrogate_draws(const struct kd_cma_surrogate *surrogate);

#endif
