/* cmaes_state.h - all that CMA-ES knows after so many finished trials: the model over the numbers,
 * the distributions over the choices, and the plan of restarts. Points go out of it, generations go
 * in. */
#ifndef KD_SEARCH_CMAES_STATE_H
#define KD_SEARCH_CMAES_STATE_H

#include "search/cmaes/cmaes_choices.h"
#include "search/cmaes/cmaes_model.h"
#include "search/cmaes/cmaes_rays.h"
#include "search/cmaes/cmaes_restart.h"
#include "search/cmaes/cmaes_surrogate.h"
#include "search/history.h"

struct kd_cma_options {
    double sigma; /* of the first run, in coordinates of [0, 1] */
    int lambda;
    enum kd_cma_restarts restarts;
    int growth; /* of the population by restart */
    bool adapt_rates, use_surrogate;
    double gamma, alpha; /* of the warm start */
};

struct kd_cma_state {
    const struct kd_chart *chart; /* borrowed */
    struct kd_cma_options options;
    uint64_t seed;
    struct kd_cma *cma;
    struct kd_choices choices;
    double *scales; /* of the coordinates' steps (cmaes_margin.h) */
    struct kd_cma_watch watch;
    struct kd_cma_plan plan;
    struct kd_cma_rays rays;
    struct kd_cma_surrogate surrogate;
    double *steps; /* scratch: a generation's steps, its picks, and a point */
    int *picks;
    double *point;
};

/* Begins in the middle, or, when there are earlier trials with objectives, at the best of them.
 * numbers: the earlier ones, finished; the order is changed. */
void kd_cma_state_begin(struct kd_cma_state *state, const struct kd_chart *chart,
                        const struct kd_cma_options *options, uint64_t seed,
                        const struct kd_history *history, int *numbers, int n);
void kd_cma_state_release(struct kd_cma_state *state);

/* Learns from a generation: plan.lambda finished trials; the order is changed. n_done: how many of
 * history->done the state has seen with them. */
void kd_cma_state_learn(struct kd_cma_state *state, const struct kd_history *history, int n_done,
                        int *numbers);

#endif
