/* ladder.h - the rungs of one bracket: the steps at which trials are compared, counted in integers.
 *
 * Logarithms are not asked: floor(log(243) / log(3)) is 4 in doubles, where it should be 5. */
#ifndef KD_SEARCH_LADDER_H
#define KD_SEARCH_LADDER_H

#include <stdint.h>

enum { KD_LADDER_MOST = 64 };

struct kd_ladder {
    int n;                         /* at least 1 */
    int64_t steps[KD_LADDER_MOST]; /* ascending; the last one is a whole trial */
};

/* min, min * eta, min * eta^2 ... and max (Li et al., arXiv 1810.05934, algorithm 2). A last rung
 * above half of max is left out: it would save less than it costs to compare. eta >= 2, 1 <=
 * min. */
struct kd_ladder kd_ladder_up(int64_t min, int64_t max, int64_t eta);

/* max / eta^n_halvings ... max / eta, max, each rounded to the nearest whole step, 1 at least and
 * each once: bracket s = n_halvings of Hyperband (Li et al., JMLR 18, 2018, algorithm 1). */
struct kd_ladder kd_ladder_down(int64_t max, int64_t eta, int n_halvings);

/* The largest s with eta^s <= max. */
int kd_ladder_halvings(int64_t max, int64_t eta);

#endif
