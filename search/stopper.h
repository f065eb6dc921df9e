/* stopper.h - history to go on or stop (Katib's "early stopping"), and to what a free slot does
 * next; one stopper is one file and one line in stoppers.def.
 *
 * Like a strategy, a stopper is a function of (task, settings, seed, ordered history): no clock, no
 * static state, no running random numbers. It may cache what follows from the history
 * (history->touched says what changed), so that a judgement costs microseconds whatever the number
 * of trials; one that is made anew, for the same history, decides the same.
 *
 * The history has no trials of an earlier experiment (n_prior is 0): they have no reports to
 * compare with.
 *
 * Words: a rung is a step at which trials are compared. A trial is trained `until` its rung, where
 * it is judged GO (no rung here, or it is above the bar), STOP (it is over: EarlyStopped) or PAUSE
 * (it keeps its checkpoint and gives up its slot; `next` may promote it later). A bracket is one
 * ladder of rungs. */
#ifndef KD_SEARCH_STOPPER_H
#define KD_SEARCH_STOPPER_H

#include "search/history.h"
#include "search/setting.h"
#include "search/task.h"

enum kd_verdict { KD_GO, KD_STOP, KD_PAUSE };

enum kd_next_kind {
    KD_NEXT_NEW, /* start a new trial, until `until`; from the checkpoint of `parent`, when there is one */
    KD_NEXT_RESUME, /* go on with the paused trial `trial`, until `until` */
    KD_NEXT_WAIT,   /* nothing to do before a running trial reports or ends */
    KD_NEXT_END,    /* nothing to do any more: the rungs are used up */
};

struct kd_next {
    enum kd_next_kind kind;
    int trial;      /* RESUME */
    int64_t until;  /* NEW, RESUME: 0 = to the end */
    int parent;     /* NEW: number of a trial, -1 = none */
    bool has_point; /* NEW: the stopper wrote the point; else the strategy is asked */
};

enum kd_stopper_can {
    KD_STOPPER_PAUSES =
        1 << 0, /* trials pause and are promoted: they must be able to go on from a checkpoint */
    KD_STOPPER_CLONES = 1 << 1, /* trials start from another trial's checkpoint */
};
enum kd_stopper_needs {
    KD_STOPPER_NEEDS_MAX = 1 << 0, /* the task's fidelity_max */
};

struct kd_stopper {
    const char *name, *summary;
    const struct kd_setting *settings;
    unsigned needs, can;
    /* NULL and err: settings that do not go together, or that do not fit the task. */
    void *(*new)(const struct kd_task *, const struct kd_settings *, uint64_t seed,
                 struct kd_error *);
    /* The trial `number`, running, has just reported; the report is in the history already. */
    enum kd_verdict (*judge)(void *self, const struct kd_history *, int number,
                             const struct kd_report *);
    /* A slot is free. The next new trial has number history->n. point: room for n_params values;
     * NULL when no new trial may start any more (their number is used up, the space is exhausted):
     * then never NEW. A next of NULL is kd_next_plain. */
    struct kd_next (*next)(void *self, const struct kd_history *, double *point);
    /* May differ for settings (asha: stopping or promotion); NULL: `can` as it stands. */
    unsigned (*can_with)(const struct kd_settings *);
    /* Which setting makes it do without pausing or cloning, as advice; NULL: none does. */
    const char *instead;
    void (*free)(void *self);
};

extern const struct kd_stopper *const kd_stoppers[]; /* NULL-terminated */
const struct kd_stopper *kd_stopper_find(const char *name);

/* As kd_strategy_planned. */
const char *kd_stopper_planned(const char *name);

/* What stoppers share. Trials that pause where they were sent: PAUSE at `until`, STOP there when
 * the report is not finite. */
enum kd_verdict kd_judge_until(const struct kd_history *, int number, const struct kd_report *);

/* Without rungs: a new trial to the end; when none may start, WAIT while one runs, then END. */
struct kd_next kd_next_plain(const struct kd_history *, const double *point);

unsigned kd_stopper_can(const struct kd_stopper *, const struct kd_settings *);

/* Does the stopper fit the task? -1 and the reason when not. */
int kd_stopper_fits(const struct kd_stopper *, const struct kd_task *, struct kd_error *);

/* A stopper at work: what the study, `katydid suggest` and tests use. */
struct kd_scheduler;

/* stopper NULL: every judgement is GO, every next a new trial to the end. `random_state` as in
 * kd_sampler_new. NULL and err when the stopper does not fit. */
struct kd_scheduler *kd_scheduler_new(const struct kd_stopper *, const struct kd_task *,
                                      const struct kd_settings *, uint64_t seed, struct kd_error *);
enum kd_verdict kd_scheduler_judge(struct kd_scheduler *, const struct kd_history *, int number,
                                   const struct kd_report *);

/* A slot is free; point as in `next`, NULL when no new trial may start. Trials that still stand
 * paused at END are over: nobody will resume them. */
struct kd_next kd_scheduler_next(struct kd_scheduler *, const struct kd_history *, double *point);
void kd_scheduler_free(struct kd_scheduler *);

#endif
