/* split.h - TPE's two heaps: the best finished trials (below), and all others (above). */
#ifndef KD_SEARCH_SPLIT_H
#define KD_SEARCH_SPLIT_H

#include "search/history.h"

/* How many trials `below` holds at most, whatever gamma says (Optuna's cap). */
enum { KD_BELOW_MAX = 25 };

struct kd_split {
    int below[KD_BELOW_MAX]; /* trial numbers, ascending */
    int n_below;
    int *above; /* owned; trial numbers, ascending */
    int n_above, above_capacity;
};

void kd_split_release(struct kd_split *split);

/* Fills `below` with the want best, want <= KD_BELOW_MAX:
 *
 *     complete trials by objective, then pruned ones by (furthest last step, its value; without reports last);
 *     ties by trial number.
 *
 * Infeasible ones, complete ones without a finite objective and running ones always go above: the first teach where
 * not to go, the last keep parallel asks apart (the "constant liar"). So below may hold fewer than want. */
void kd_split_trials(struct kd_split *split, const struct kd_history *history, int want);

#endif
