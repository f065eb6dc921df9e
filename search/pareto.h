/* pareto.h - which of several cost vectors are better: domination, ranks, crowding, and the best
 * few.
 *
 * Costs are minimised; they may be infinite, and are never NaN. a dominates b when it is nowhere
 * worse and somewhere better. With constraints (Deb et al., "A fast and elitist multiobjective
 * genetic algorithm: NSGA-II", IEEE TEC 2002, section VI) feasible ones come first, and among the
 * infeasible the smaller violation. Equal rows have equal ranks. */
#ifndef KD_SEARCH_PARETO_H
#define KD_SEARCH_PARETO_H

#include <stdbool.h>

#include "search/history.h"

struct kd_costs {
    int n, m;                 /* rows, and objectives in each; m >= 1 */
    const double *rows;       /* borrowed; n x m */
    const double *violations; /* borrowed; n, feasible when <= 0; NULL = all feasible */
};

bool kd_dominates(const double *a, const double *b, int m);

/* The rows in lexicographic order, equal ones by index: none is dominated by a later one. order: n
 * indices. */
void kd_pareto_sort(const struct kd_costs *costs, int *order);

/* ranks[i] from 0: the front that row i is in when each front is what nothing dominates among the
 * rest. Infeasible rows follow, by violation. Returns the number of fronts. O(n log n) for m <= 2
 * (Jensen 2003), else O(m n^2) at worst (efficient non-dominated sort, Zhang et al., IEEE TEC
 * 2015). */
int kd_pareto_ranks(const struct kd_costs *costs, int *ranks);

/* The same, made only as far as whole fronts hold `want` rows or more: feasible rows beyond share
 * the next rank. */
int kd_pareto_first_ranks(const struct kd_costs *costs, int want, int *ranks);

/* Crowding distance of some rows among each other (Deb et al. 2002, section III B): the sum over
 * objectives of the gap between both neighbours, as a share of the range; INFINITY at the ends of
 * an objective in which the rows differ. Between two infinite neighbours of the same sign the gap
 * is 0, and the range is that of the finite values. */
void kd_pareto_crowding(const struct kd_costs *costs, const int *members, int n_members,
                        double *distances);

/* Optuna's reference point of a set: max(1.1 w, 0.9 w) of the worst value w, 1e-12 when that is 0;
 * m numbers. */
void kd_pareto_reference(const struct kd_costs *costs, double *reference);

/* Of rows none of which dominates another (one front), the `want`, want <= n, that cover the
 * largest hypervolume before the reference point; chosen greedily, which reaches at least 1 - 1/e
 * of the best (Guerreiro, Fonseca, Paquete, Evolutionary Computation 2016). Repeats of a row come
 * last. Of alike ones the lexicographically first row wins. When the reference is not finite: the
 * first rows in lexicographic order. Indices, in the order in which they were chosen. */
void kd_pareto_subset(const struct kd_costs *costs, const double *reference, int want, int *chosen);

/* The `want` best rows, want <= n: whole fronts by rank, and of the one that does not fit the
 * kd_pareto_subset before its own reference point (of infeasible ones the first). Indices,
 * ascending. */
void kd_pareto_best(const struct kd_costs *costs, int want, int *chosen);

/* Numbers, ascending, of the finished feasible own trials (kd_history_best's) that nothing
 * dominates; with one objective all that are as good as the best. `numbers` has room for
 * history->n_done. Returns how many. */
int kd_history_front(const struct kd_history *history, int *numbers);

#endif
