/* warm_start.h - what an earlier experiment of the same file teaches a new one.
 *
 * Its finished trials are taken whose parameters, matched by name, the new space allows; each
 * active parameter must be there. Their objectives and constraints are the new experiment's, over
 * the points that the earlier one recorded. Failed and diverged ones teach where not to go; killed
 * ones say nothing. Read once: what came of it is journaled. */
#ifndef KD_WARM_START_H
#define KD_WARM_START_H

#include <jansson.h>

#include "coordinator/spec/experiment.h"
#include "coordinator/store/store.h"

struct kd_warm_counts {
    int used, skipped;
    char why[256]; /* of the first that was skipped */
};

/* *priors: entries of feed.h, owned by the caller. -1 and err: there is no such experiment, or it
 * has not recorded a metric that the new one needs. */
int kd_warm_start_read(struct kd_store *store, const struct kd_experiment *experiment,
                       json_t **priors, struct kd_warm_counts *counts, struct kd_error *err);

#endif
