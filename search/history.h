/* history.h - what has been tried: the only thing, beside space, settings and seed, that a strategy
 * or a stopper may look at.
 *
 * Trials stand in the order of their numbers, which are dense: trials[i].number == i, so the next
 * trial to be proposed has number n. `done` lists the finished ones in the order in which they
 * finished. Objectives and reports are minimised: the study flips signs once. Owned by whoever
 * feeds it (study.c, a strategy worker, a test). */
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
    double
        objective; /* minimised, the first one; NaN when there is none, or another is not finite */
    double *objectives;  /* owned; all n_objectives, minimised; NULL while there is but one */
    double *constraints; /* owned; n_constraints values, feasible when <= 0; NULL = none measured */
    double
        violation; /* sum of the positive constraints, INFINITY when one is not known; 0 = feasible */
    int64_t done_seq; /* order of completion from 0; -1 while running */
    struct kd_report *reports;
    int n_reports, reports_capacity;
    /* Fidelity (stopper.h): to train until this step, 0 = to the end; standing still at a rung,
     * without a slot; and whose checkpoint it started from, -1 = none. */
    int64_t until;
    bool is_paused;
    int parent;
};

struct kd_history {
    const struct kd_space *space; /* borrowed */
    int n_objectives, n_constraints;
    struct kd_observation *trials;
    int n, capacity;
    int n_prior; /* so many at the front come from an earlier experiment: they teach, and are nobody's proposals */
    int *done; /* indices into trials, by done_seq */
    int n_done, done_capacity;
    int *
        slots; /* open addressing, a power of two: number + 1 of the first trial of each point, 0 = free */
    int n_slots;
    int n_distinct; /* different points among the trials, prior ones aside */
    /* The trial of every change of reports, pause or end, in order: a cache reads on from where it
     * stopped. */
    int *touched;
    int n_touched, touched_capacity;
};

/* One objective and no constraint; set n_objectives and n_constraints before the first trial when
 * there are more. */
void kd_history_init(struct kd_history *history, const struct kd_space *space);
void kd_history_release(struct kd_history *history);

/* Adds trial number history->n as running; copies the values. Returns its number. */
int kd_history_add(struct kd_history *history, const double *values);

/* Adds a finished trial of an earlier experiment; before the first kd_history_add. Its point may be
 * proposed again. */
void kd_history_add_prior(struct kd_history *history, const double *values, enum kd_outcome outcome,
                          double objective);

/* What the trial was asked to do (kd_history_add: to the end, no parent). */
void kd_history_schedule(struct kd_history *history, int number, int64_t until, int parent);

/* The trial stands still at its rung; and goes on until another one. */
void kd_history_pause(struct kd_history *history, int number);
void kd_history_resume(struct kd_history *history, int number, int64_t until);

/* One more intermediate value of the objective; a step that was reported before is replaced. */
void kd_history_report(struct kd_history *history, int number, int64_t step, double value);

/* Forgets the reports beyond a step: the trial goes back to it. */
void kd_history_cut(struct kd_history *history, int number, int64_t step);

/* The trial finished now: it gets the next done_seq. */
void kd_history_finish(struct kd_history *history, int number, enum kd_outcome outcome,
                       double objective);

/* The same, and that of a prior trial, with everything that was measured: n_objectives objectives,
 * minimised, and n_constraints constraints (NULL = not measured, which is a violation when there
 * are constraints). */
struct kd_measured {
    const double *objectives, *constraints;
};
void kd_history_finish_measured(struct kd_history *history, int number, enum kd_outcome outcome,
                                struct kd_measured measured);

void kd_history_add_prior_measured(struct kd_history *history, const double *values,
                                   enum kd_outcome outcome, struct kd_measured measured);

/* Best finite first objective among the finished feasible trials (KD_COMPLETE, or KD_PRUNED with an
 * objective), those of an earlier experiment aside; index or -1. */
int kd_history_best(const struct kd_history *history);

/* Has this point been proposed already (in any state)? O(1) on average. */
bool kd_history_has(const struct kd_history *history, const double *values);

/* How many own trials were proposed by a strategy or a user, and not cloned from a parent; counts
 * no further than most. */
int kd_history_n_proposed(const struct kd_history *history, int most);

/* Was the trial finished with objectives that count (each finite, not infeasible)? Constraints
 * aside. */
bool kd_observation_has_objective(const struct kd_observation *trial);

/* The i-th objective, minimised. */
double kd_observation_objective(const struct kd_observation *trial, int i);

/* Index of the trial's first report at this step or later; n_reports when there is none. */
int kd_observation_report_at(const struct kd_observation *trial, int64_t step);

/* A history that shares all trials of `base` and can grow by running ones of its own: how a
 * strategy sees the points of the call that is under way. Only kd_history_add may change it, the
 * base must not change meanwhile, and it is released with kd_history_release_branch. */
void kd_history_branch(struct kd_history *branch, const struct kd_history *base);
void kd_history_release_branch(struct kd_history *branch, const struct kd_history *base);

#endif
