/* importance.h - which parameters made the good trials good: PED-ANOVA.
 *
 * Watanabe, Bansal, Hutter, "PED-ANOVA: Efficiently quantifying hyperparameter importance in
 * arbitrary subspaces", IJCAI 2023 (arXiv 2304.10255, theorem 1): for each parameter the densities
 * of its values among the top trials and among all those of the region are estimated on a grid, and
 * their Pearson divergence is the importance. A conditional parameter counts where it is active, by
 * alpha^2 / beta, its shares of the top and of the region (arXiv 2601.20800, theorem 4.2).
 *
 * The rules are those of Optuna 5's PedAnovaImportanceEvaluator, and so are the numbers up to
 * rounding. What differs: a discrete list is ordered by its positions; infeasible trials are worse
 * than all feasible ones. */
#ifndef KD_SEARCH_IMPORTANCE_H
#define KD_SEARCH_IMPORTANCE_H

#include "search/history.h"

struct kd_importance {
    double target_quantile; /* the top: what importance is about; 0 < target < region */
    double region_quantile; /* the trials among which it is measured; at most 1 */
};
#define KD_IMPORTANCE_DEFAULTS                                                                     \
    ((struct kd_importance){.target_quantile = 0.1, .region_quantile = 1})

/* So many completed own trials must have an objective; the answer is steady from about 50 on. */
enum { KD_IMPORTANCE_MIN_TRIALS = 5 };

/* shares: n_params numbers >= 0 that sum to 1; a parameter that takes one value has 0. With several
 * objectives the top is kd_pareto_best's. -1 and a text that says what to do: quantiles out of
 * order, too few trials, or nothing that tells the top from the rest. */
int kd_importance(const struct kd_history *history, struct kd_importance settings, double *shares,
                  struct kd_error *err);

#endif
