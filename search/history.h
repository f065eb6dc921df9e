/* history.h - what has been tried: the only thing, beside space, settings and seed, that a strategy or a stopper
 * may look at.
 *
 * Trials stand in the order of their numbers, which are dense: trials[i].number == i, so the next trial to be
 * proposed has number n. `done` lists the finished ones in the order in which they finished. Objectives and reports
 * are minimised: the study flips signs once. Owned by whoever feeds it (study.c, a strategy worker, a test). */
#ifndef KD_SEARCH_HISTORY_H
#define KD_SEARCH_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "search/space.h"

enum kd_outcome {
    KD_RUNNING,    /* asked for and not finished: Pending, Running or Paused */
    KD_COMPLETE,   /* finished with a finite objective */
    KD_PRUNED,     /* stopped early; its reports count, and its objective when there is one */
    KD_INFEASIBLE, /* failed or diverged: teaches where not to go */
};

struct kd_report {
    int64_t step; /* fidelity units, from 1, ascending within a trial */
    double value; /* minimised; may be NaN or infinite */
};

struct kd_observation {
    int64_t number;
    double *values; /* n_params values, see space.h */
    enum kd_outcome outcome;
    double objective; /* minimised; NaN when there is none */
    int64_t done_seq; /* order of completion from 0; -1 while running */
    struct kd_report *reports;
    int n_reports, reports_capacity;
};

struct kd_history {
    const struct kd_space *space; /* borrowed */
    struct kd_observation *trials;
    int n, capacity;
    int *done; /* indices into trials, by done_seq */
    int n_done, done_capacity;
    int *
        slots; /* open addressing, a power of two: number + 1 of the first trial of each point, 0 = free */
    int n_slots;
    int n_distinct; /* different points among the trials */
};

void kd_history_init(struct kd_history *history, const struct kd_space *space);
void kd_history_release(struct kd_history *history);

/* Adds trial number history->n as running; copies the values. Returns its number. */
int kd_history_add(struct kd_history *history, const double *values);

/* One more intermediate value of the objective; a step that was reported before is replaced. */
void kd_history_report(struct kd_history *history, int number, int64_t step, double value);

/* Forgets the reports beyond a step: the trial goes back to it. */
void kd_history_cut(struct kd_history *history, int number, int64_t step);

/* The trial finished now: it gets the next done_seq. */
void kd_history_finish(struct kd_history *history, int number, enum kd_outcome outcome,
                       double objective);

/* Best finite objective among finished trials (KD_COMPLETE, or KD_PRUNED with an objective); index or -1. */
int kd_history_best(const struct kd_history *history);

/* Has this point been proposed already (in any state)? O(1) on average. */
bool kd_history_has(const struct kd_history *history, const double *values);

/* Was the trial finished with an objective that counts (finite, not infeasible)? */
bool kd_observation_has_objective(const struct kd_observation *trial);

/* A history that shares all trials of `base` and can grow by running ones of its own: how a strategy sees the points
 * of the call that is under way. Only kd_history_add may change it, the base must not change meanwhile, and it is
 * released with kd_history_release_branch. */
void kd_history_branch(struct kd_history *branch, const struct kd_history *base);
void kd_history_release_branch(struct kd_history *branch, const struct kd_history *base);

#endif
