/* status_json.h - an experiment's status in the words of Katib's Experiment.status. */
#ifndef KD_COMMANDS_STATUS_JSON_H
#define KD_COMMANDS_STATUS_JSON_H

#include <stdio.h>

#include "coordinator/commands/front.h"
#include "coordinator/store/query.h"

struct kd_status { /* all borrowed */
    const struct kd_experiment_info *experiment;
    const struct kd_trial_info *trials;
    int n_trials;
    const struct kd_trial_info *best;         /* NULL = none */
    const struct kd_observed_metric *metrics; /* of the best */
    int n_metrics;
    const struct kd_attempt_gpu_info *gpus; /* of all trials; n_gpus */
    int n_gpus;
    const struct kd_gpu_failure *failures; /* of GPUs; n_failures */
    int n_failures;
    const struct kd_front *front; /* of several objectives; NULL = there is one */
};

/* What all attempts took of their GPUs together; NaN: not known of any. */
double kd_status_joules(const struct kd_status *status);

/* {"schema":1,"experiment":...,"status":{...}}: conditions, currentOptimalTrial, the front of
 * several objectives, the energy and the best trial's GPUs where there are some, a count and a list
 * per state. */
void kd_status_print_json(const struct kd_status *status, FILE *out);

#endif
