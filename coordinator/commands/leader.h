/* leader.h - while no trial that is over can be the best one: which of the others is ahead so far.
 *
 * Trials that pause at rungs, or that Ctrl-C sent to wait, have reported without being over. */
#ifndef KD_COMMANDS_LEADER_H
#define KD_COMMANDS_LEADER_H

#include "coordinator/store/query.h"

/* Index of the trial, by the point that would be its objective if it ended now, which it gets as
 * its objective; -1: none has a finite one, or there are several objectives, or constraints, which
 * only the end can tell. -2 and err. */
int kd_leader_find(struct kd_store *store, const struct kd_experiment_info *experiment,
                   struct kd_trial_info *trials, int n, struct kd_error *err);

/* Why there is no best trial: "no trial of x is over yet", "no trial of x that is over has a finite
 * objective". Owned by the caller. */
char *kd_leader_none_text(const struct kd_experiment_info *experiment);

#endif
