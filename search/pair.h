/* pair.h - names that stand for a strategy with a stopper: what other systems call one algorithm
 * ("hyperband" is random with the hyperband stopper, "bohb" is tpe with it). Listed in
 * strategies.def.
 *
 * The settings of such a name are those of both: each goes to whichever declares it, random_state
 * to both. */
#ifndef KD_SEARCH_PAIR_H
#define KD_SEARCH_PAIR_H

#include "search/stopper.h"
#include "search/strategy.h"

struct kd_pair {
    const char *name, *summary;
    const struct kd_strategy *strategy;
    const struct kd_stopper *stopper;
};

extern const struct kd_pair kd_pairs[]; /* ends with a NULL name */
const struct kd_pair *kd_pair_find(const char *name);

#endif
