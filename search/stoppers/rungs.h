/* rungs.h - who stands where on the ladders of successive halving, kept up to date from the
 * history: what asha and hyperband share.
 *
 * Every trial belongs to one bracket, by its number alone. It has reached a rung when it has a
 * report at the rung's step or later; the first such report is its value there, INFINITY when that
 * is not finite. Reaching counts whatever became of the trial. A trial waits at the highest rung it
 * has reached while it is paused, and has passed those below its `until` (0 = all).
 *
 * Everything here is a function of the history; the cache reads history->touched from where it
 * stopped, and starts over when the history is not a continuation. */
#ifndef KD_SEARCH_RUNGS_H
#define KD_SEARCH_RUNGS_H

#include "search/history.h"
#include "search/math/ranking.h"
#include "search/stopper.h"
#include "search/stoppers/ladder.h"

struct kd_rung {
    struct kd_ranking reached, waiting;
    int n_passed; /* of those that reached it */
};

struct kd_bracket {
    struct kd_ladder ladder;
    double share;                         /* of the trials, relative to the other brackets */
    struct kd_rung rungs[KD_LADDER_MOST]; /* ladder.n of them */
};

struct kd_stand;

struct kd_rungs {
    int n_brackets;
    struct kd_bracket *brackets; /* owned */
    int eta;
    bool is_open_ended; /* the top rung is a whole trial: no need to say until when */
    uint64_t phase;     /* where the seed starts the sequence of brackets */
    /* The cache: what each trial counts for now, and how much of history->touched was read. */
    struct kd_stand *stands;
    int n, capacity, cursor, n_waiting;
};

/* Room for n_brackets, whose ladders and shares the caller fills in. */
void kd_rungs_init(struct kd_rungs *, int n_brackets, int eta, uint64_t seed);
void kd_rungs_release(struct kd_rungs *);

/* The bracket of a trial: shares are kept at every moment as closely as whole trials allow. */
int kd_rungs_bracket(const struct kd_rungs *, int number);

/* Reads on; before any of the following. */
void kd_rungs_sync(struct kd_rungs *, const struct kd_history *);

/* The stopping rule at a report, see asha.c. */
enum kd_verdict kd_rungs_stop(struct kd_rungs *, const struct kd_history *, int number,
                              const struct kd_report *);

/* What a free slot does when trials pause, see asha.c. can_start: new trials may be started. */
struct kd_next kd_rungs_next(struct kd_rungs *, const struct kd_history *, bool can_start);

#endif
