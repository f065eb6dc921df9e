/* cmaes_order.h - finished trials from best to worst: all that CMA-ES sees of what was measured. */
#ifndef KD_SEARCH_CMAES_ORDER_H
#define KD_SEARCH_CMAES_ORDER_H

#include "search/history.h"

/* Sorts trial numbers, best first: complete and feasible ones by objective; pruned and feasible
 * ones, who came further first, then by the last report; those that violate a constraint by how
 * much; failed and diverged ones. Equal ones by number, so the order is total. Returns how many
 * come before the failed ones. */
int kd_cma_order(const struct kd_history *history, int *numbers, int n);

/* What a trial is compared by within its kind, for criteria of stopping; NaN for a failed one. */
double kd_cma_value(const struct kd_observation *trial);

#endif
