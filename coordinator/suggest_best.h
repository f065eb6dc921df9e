/* suggest_best.h - what was found: the best trial of one objective, the front of several. */
#ifndef KD_SUGGEST_BEST_H
#define KD_SUGGEST_BEST_H

#include <jansson.h>

#include "coordinator/base/json.h"
#include "coordinator/spec/experiment.h"

/* json: true, or {"reference": [...]} of the hypervolume, in the user's direction; without it the
 * reference is a tenth beyond the worst value seen, as in search/pareto.h. Adds `best` (null =
 * none), or `front`, `hypervolume` and `reference`. -1 and err, and nothing was added. */
int kd_suggest_best(const struct kd_experiment *experiment, const struct kd_history *history,
                    const json_t *json, struct kd_json *j, struct kd_error *err);

#endif
