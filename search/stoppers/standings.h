/* standings.h - what the completed trials had at a step, in order: the bar of the median and the
 * percentile rule.
 *
 * One ranking per step that was asked for, made when it is first asked for and extended by the
 * trials that complete later. All follows from the history: a history that is not a continuation of
 * the one seen, or whose finished trials changed, starts it over. */
#ifndef KD_SEARCH_STANDINGS_H
#define KD_SEARCH_STANDINGS_H

#include "search/history.h"
#include "search/math/ranking.h"

/* What a completed trial is compared by at a step; NaN = it is left out. */
typedef double (*kd_standing_fn)(const struct kd_observation *, int64_t step);

struct kd_standing_table {
    int64_t step;
    int n_seen; /* of history->done */
    struct kd_ranking ranking;
};

struct kd_standings { /* {.value = ...} is an empty one */
    kd_standing_fn value;
    struct kd_standing_table *tables; /* owned; by step */
    int n, capacity;
    int cursor, n_done; /* of history->touched and history->done: read so far */
};

void kd_standings_release(struct kd_standings *);

/* The ranking of the KD_COMPLETE trials at this step; valid until the next call. */
const struct kd_ranking *kd_standings_at(struct kd_standings *, const struct kd_history *,
                                         int64_t step);

/* The smallest finite one of n reports, or of a trial's up to the step; INFINITY when there is
 * none. */
double kd_best_report(const struct kd_report *reports, int n);
double kd_best_up_to(const struct kd_observation *, int64_t step);

/* Is the report at this step the trial's first since the last of the steps n_warmup, n_warmup +
 * interval, ...? Then it is time for a check (Optuna's interval_steps). False before n_warmup. */
bool kd_is_check_due(const struct kd_observation *, int64_t step, int64_t n_warmup,
                     int64_t interval);

#endif
