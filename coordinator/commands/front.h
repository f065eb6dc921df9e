/* front.h - of an experiment with several objectives: the trials that no other beats in every one,
 * and how much they cover. With one objective: all that are as good as the best. */
#ifndef KD_COMMANDS_FRONT_H
#define KD_COMMANDS_FRONT_H

#include "coordinator/base/json.h"
#include "coordinator/store/query.h"

struct kd_front {
    int *trials; /* owned; n indices into the trials that it was found in, by number */
    int n;
    /* The volume between the front and the reference point: beyond the worst finite value of each
     * objective by a tenth of it, as Optuna places it (kd_pareto_reference). */
    double hypervolume;
    double
        *reference; /* owned; in the user's direction, one for each objective; 0 without a trial */
};

/* Among the finished trials whose objectives are finite and whose constraints hold. */
void kd_front_find(const struct kd_experiment_info *experiment, const struct kd_trial_info *trials,
                   int n, struct kd_front *front);
void kd_front_release(struct kd_front *front);

/* "acc": 0.9, "bytes": 100 */
void kd_front_write_objectives(struct kd_json *json, const struct kd_experiment_info *experiment,
                               const struct kd_trial_info *trial);
/* "lr": 0.1, "opt": "sgd", typed as in the spec */
void kd_front_write_params(struct kd_json *json, const struct kd_trial_info *trial);

/* "objectives": [...], "front": [...], "hypervolume": ..., "reference": {...} of an open object. */
void kd_front_write(struct kd_json *json, const struct kd_experiment_info *experiment,
                    const struct kd_trial_info *trials, const struct kd_front *front);

/* "3 trials, hypervolume 0.25 before acc = 0.1, bytes = 100"; owned by the caller. */
char *kd_front_text(const struct kd_experiment_info *experiment, const struct kd_front *front);

#endif
