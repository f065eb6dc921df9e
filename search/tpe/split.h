/* split.h - TPE's two heaps: the best trials (below), and all others (above). */
#ifndef KD_SEARCH_SPLIT_H
#define KD_SEARCH_SPLIT_H

#include "search/history.h"

/* How many trials `below` holds at most with one objective, whatever the share (Optuna's cap). */
enum { KD_BELOW_MAX = 25 };

struct kd_split {
    /* Owned, all of them, with room for `capacity` trials. Numbers, ascending; rank: of each one
     * below, 0 = best (with several objectives all 0). */
    int *below, *rank, *above;
    int n_below, n_above, capacity;
};

void kd_split_release(struct kd_split *split);

/* How many trials have something to teach: the finished ones, and with one objective those not
 * finished that have a finite report. */
int kd_split_informed(const struct kd_history *history);

/* Fills `below` with the want best (with one objective KD_BELOW_MAX at most):
 *
 *     feasible trials, then those that violate constraints, by how much;
 *     among them with one objective complete trials by objective, then others by (furthest step, last value);
 *     with several, complete trials only, by rank and hypervolume (kd_pareto_best: Ozaki et al., GECCO 2020, with the
 *     rules of Optuna 5); ties by trial number.
 *
 * A trial that is paused, or running with reports, counts by them as a pruned one does: the
 * promoted are the best there are, and would turn the search away from themselves if they counted
 * as bad. To compare all trials at the furthest step that many have reached, near what BOHB does
 * (Falkner et al., ICML 2018), was tried under a simulated ASHA and left twice the regret: what got
 * further was chosen by later, better values.
 *
 * Infeasible trials, complete ones without finite objectives, running ones without a report and
 * violations that are not known always go above: the first teach where not to go, the running ones
 * keep parallel asks apart (the "constant liar"). So below may hold fewer than want. */
void kd_split_trials(struct kd_split *split, const struct kd_history *history, int want);

#endif
