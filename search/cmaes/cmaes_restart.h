/* cmaes_restart.h - when a run of CMA-ES is over, and with what the next one begins.
 *
 * none    the same again: the first sigma, the first population size
 * ipop    the population grows with every restart (Auger & Hansen, CEC 2005)
 * bipop ipop's runs, and beside them small ones with small sigma, whichever side has used fewer
 * trials (Hansen, GECCO
 *         2009 workshop on BBOB) */
#ifndef KD_SEARCH_CMAES_RESTART_H
#define KD_SEARCH_CMAES_RESTART_H

#include <stdbool.h>

#include "coordinator/base/rng.h"
#include "search/cmaes/cmaes_chart.h"
#include "search/cmaes/cmaes_model.h"

enum kd_cma_restarts { KD_CMA_NONE, KD_CMA_IPOP, KD_CMA_BIPOP };

/* What one run has seen: the best value of each of its last generations. */
struct kd_cma_watch {
    double *best; /* owned; a ring of `window` values */
    int window, n;
    double first_sigma;
};

void kd_cma_watch_init(struct kd_cma_watch *watch, const struct kd_cma *cma);
void kd_cma_watch_release(struct kd_cma_watch *watch);

/* One generation more, after the update: its best and its worst value, NaN where failed. Why the
 * run is over, or NULL. */
const char *kd_cma_watch_add(struct kd_cma_watch *watch, const struct kd_cma *cma,
                             const struct kd_chart *chart, const double *scales, double best,
                             double worst);

/* The plan over all runs. */
struct kd_cma_plan {
    enum kd_cma_restarts kind;
    int lambda, base_lambda, growth; /* of this run; of the first; by restart */
    double sigma, base_sigma;
    int restarts, large_restarts;
    bool is_small;
    long used_large, used_small; /* trials, bipop */
};

void kd_cma_plan_init(struct kd_cma_plan *plan, enum kd_cma_restarts kind, int lambda, int growth,
                      double sigma);

/* After a run of `used` trials: sets lambda and sigma of the next one. */
void kd_cma_plan_next(struct kd_cma_plan *plan, long used, struct kd_rng *rng);

#endif
