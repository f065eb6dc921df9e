/* ranking.h - places: what (value, trial) is the k-th smallest, and how many are smaller.
 *
 * Kept in order in blocks of at most KD_RANKING_BLOCK places, so that adding, removing, ranking and
 * selecting cost a walk over the blocks and a move inside one: below a microsecond for 10,000
 * places. Equal values are in the order of their trials. No value may be NaN; INFINITY is the
 * worst. */
#ifndef KD_SEARCH_RANKING_H
#define KD_SEARCH_RANKING_H

#include <stdbool.h>

struct kd_place {
    double value;
    int trial;
};

struct kd_ranking_block;

struct kd_ranking {                   /* {0} is an empty one */
    struct kd_ranking_block **blocks; /* owned; none is empty */
    int n_blocks, capacity;
    int n; /* places in all */
};

void kd_ranking_release(struct kd_ranking *);

void kd_ranking_add(struct kd_ranking *, struct kd_place);

/* The place must be there. */
void kd_ranking_remove(struct kd_ranking *, struct kd_place);

/* How many places come before this one, and how many values are smaller; it need not be there
 * itself. */
int kd_ranking_rank(const struct kd_ranking *, struct kd_place);
int kd_ranking_below(const struct kd_ranking *, double value);

/* The place of rank k, 0 <= k < n. */
struct kd_place kd_ranking_at(const struct kd_ranking *, int k);

/* The value at a share of the way from the smallest (0) to the largest (1), linear between
 * neighbours: numpy's default percentile. NaN when there is none. */
double kd_ranking_quantile(const struct kd_ranking *, double share);

#endif
