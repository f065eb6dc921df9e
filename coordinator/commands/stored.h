/* stored.h - an experiment as it stands in the database: its spec, read again, and its trials as a
 * history. */
#ifndef KD_COMMANDS_STORED_H
#define KD_COMMANDS_STORED_H

#include "coordinator/spec/experiment.h"
#include "coordinator/store/store.h"

struct kd_stored {
    struct kd_experiment_row row;
    struct kd_experiment experiment;
};

/* -1 and err, and nothing to release: there is no such experiment, or its spec does not read any
 * more. */
int kd_stored_read(struct kd_store *store, const char *name, struct kd_stored *stored,
                   struct kd_error *err);
void kd_stored_release(struct kd_stored *stored);

/* Its trials in the order of their numbers, those that are over as finished in that order; without
 * reports. Borrows the experiment's space; -1 and err, and nothing to release. */
int kd_stored_history(struct kd_store *store, const struct kd_stored *stored,
                      struct kd_history *history, struct kd_error *err);

#endif
