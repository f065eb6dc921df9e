/* loop.h - the coordinator at work on one experiment: one thread, one wait over bus, gangs, signals
 * and timers.
 *
 * Each turn takes in everything that has happened, lets the study decide, writes all of it in one
 * transaction, and only after the commit acts: acknowledgements first, then ends, then launches and
 * questions. A crash anywhere means that either nothing happened or the effects can be derived
 * again. */
#ifndef KD_LOOP_H
#define KD_LOOP_H

#include "coordinator/spec/experiment.h"
#include "coordinator/spec/render.h"
#include "coordinator/store/store.h"
#include "coordinator/study.h"

/* Who watches (the progress display, `try`). Every function may be NULL. */
struct kd_watcher {
    void *ud;
    void (*started)(void *ud, const struct kd_study *study, bool resumed);
    /* Everything that was decided, once it is durable. */
    void (*action)(void *ud, const struct kd_study *study, const struct kd_action *action);
    void (*metrics)(void *ud, const struct kd_study *study, int64_t fence,
                    const struct kd_metric_point *points, int n);
    void (*tick)(void *ud, const struct kd_study *study); /* ten times a second while waiting */
    void (*note)(void *ud, const char *text);             /* what a person should know */
};

struct kd_run_options {
    const char *database;
    const struct kd_experiment *experiment;
    const struct kd_image_map *images;
    const struct kd_watcher *watcher;
    void (*listening)(const char *endpoint); /* an external strategy finds the bus there; NULL */
    const double *fixed_point; /* `try`: this point instead of asking the strategy; NULL */
};

enum kd_run_end {
    KD_RUN_ENDED,       /* the study's end says how */
    KD_RUN_INTERRUPTED, /* the user stopped it; the same command goes on */
    KD_RUN_LOCKED,      /* the file has a live owner */
    KD_RUN_OTHER_SPEC,  /* the name belongs to another spec; the error says what differs */
    KD_RUN_BAD_SPEC,    /* it asks for what is not here: a program, a folder, slots */
    KD_RUN_ERROR,
};

struct kd_run_result {
    enum kd_study_end end;
    bool goal_met;
    int n_trials, n_failed, best; /* best: trial number or -1 */
    double seconds, commit_seconds;
};

enum kd_run_end kd_run(const struct kd_run_options *options, struct kd_run_result *result,
                       struct kd_error *err);

#endif
