/* gp_surrogate.h - a history as Gaussian processes: one of the objective, one of every constraint.
 *
 * Hyperparameters and the warp are fitted at fixed numbers of finished trials, to the trials that
 * had finished by then: so they do not depend on when and how often was asked. In between, new
 * trials are learned with the old ones. Running trials are believed to give what the posterior mean
 * says (kriging believer: Ginsbourger et al., 2010), which takes the variance, and with it the
 * hope, from around them. */
#ifndef KD_SEARCH_GP_SURROGATE_H
#define KD_SEARCH_GP_SURROGATE_H

#include "search/gp/acquisition.h"
#include "search/gp/gp_data.h"

/* More trials than these are thinned (kd_gp_data_thin): for the fit and for the process. */
enum { KD_GP_FIT_TRIALS = 200, KD_GP_TRIALS = 800 };

/* One process and what it was fitted to. */
struct kd_gp_model {
    struct kd_gp *gp;
    struct kd_gp_data data;
    double *theta, lambda;
    uint64_t fitted_to; /* hash of the data of the last fit */
    double limit;       /* constraints */
};

struct kd_surrogate {
    struct kd_cube *cube; /* borrowed */
    int n_constraints;
    uint64_t seed;
    struct kd_gp_model *models; /* the objective's, then the constraints' */
    struct kd_gp *trainer;      /* what fits are made with */
    struct kd_acquisition acquisition;
    double *running; /* [n_running][n_dims]: coordinates of the running trials */
    int n_running, running_capacity;
};

void kd_surrogate_init(struct kd_surrogate *surrogate, struct kd_cube *cube, int n_constraints,
                       uint64_t seed);
void kd_surrogate_release(struct kd_surrogate *surrogate);

/* Is a running trial closer than a hundredth of the cube in every dimension? Two trials so close at
 * the same time teach little more than one. */
bool kd_surrogate_is_crowded(const struct kd_surrogate *surrogate, const double *x);

/* Learns the history; needs a finished trial. `acquisition` is ready then. */
void kd_surrogate_update(struct kd_surrogate *surrogate, const struct kd_history *history);

#endif
