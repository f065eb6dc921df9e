/* event.h - what the study hears and what it answers with.
 *
 * Events are facts with a time; actions are what is to be done about them. Both are plain data, so
 * a test writes them down, the journal keeps them, and replay feeds them again. */
#ifndef KD_EVENT_H
#define KD_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

/* id, name in the journal, what it says */
#define KD_EVENTS(X)                                                                               \
    X(PRIOR, "prior", "what an earlier experiment taught this one, before its first start")        \
    X(TAKEOVER, "takeover", "the coordinator before this one is gone; its gangs' ends follow")     \
    X(STARTED, "started", "a coordinator took over: slots, limits, next fence and gang")           \
    X(SUGGESTED, "suggested", "the strategy answered an ASK")                                      \
    X(ASK_FAILED, "ask_failed", "the strategy could not answer")                                   \
    X(READY, "ready", "a gang can take a trial")                                                   \
    X(METRICS, "metrics", "points of an attempt")                                                  \
    X(SAVED, "saved", "a checkpoint of an attempt is durable")                                     \
    X(DONE, "done", "the gang ended its trial")                                                    \
    X(GANG_ENDED, "gang_ended", "the processes of a gang are gone")                                \
    X(STALLED, "stalled", "a gang makes no progress")                                              \
    X(GPU_FAILED, "gpu_failed",                                                                    \
      "a GPU reported an error: what ran on it is spoiled, and it may be of no more use")          \
    X(TIMER, "timer", "a deadline passed")                                                         \
    X(DRAIN, "drain", "the user wants to stop in order")

enum kd_event_kind {
#define X(id, name, text) KD_EVENT_##id,
    KD_EVENTS(X)
#undef X
        KD_N_EVENTS
};

/* How the processes of a gang ended. */
enum kd_gang_end {
    KD_END_EXITED,      /* by itself: code or signal */
    KD_END_ASKED,       /* after we asked for it */
    KD_END_ORPHANED,    /* its supervisor ended it because the coordinator died */
    KD_END_LOST,        /* no exit record: supervisor killed, machine restarted, never started */
    KD_END_UNSTARTABLE, /* the program could not be started: text says why */
    KD_END_NO_START,    /* this machine could not start anything now: text says why */
    KD_END_MEMORY,      /* the kernel killed it: out of memory */
    KD_END_GPU_MEMORY, /* a rank found its GPU out of memory: text says how much was asked for and is there */
    KD_N_GANG_ENDS
};

struct kd_point_report { /* one value of a watched metric (watch.h), in the user's direction */
    int64_t step;
    double value;
    int watch;
};

struct kd_event {
    enum kd_event_kind kind;
    double at; /* REAL UTC seconds */
    int64_t gang, fence;

    /* STARTED: what may change from run to run; the study knows no other limits */
    int n_gpus, n_cpus, parallel, max_trials, max_failed, max_retries;
    double trial_time_s, wall_time_s; /* 0 = none */
    double grace_s;                   /* how long a command at its rung may take to end by itself */
    bool has_goal;
    double goal;
    int64_t memory, next_fence, next_gang;
    const json_t *links; /* between the GPUs (links.h); NULL = all alike; borrowed */

    /* SUGGESTED: n points of n_params values; fewer than asked: exhausted */
    int n;
    double *values; /* borrowed */

    /* PRIOR: entries of feed.h; borrowed */
    const json_t *priors;

    /* METRICS: the watched metrics' points only; the rest is the store's. seq or log_offset: how
     * far the source is read */
    const struct kd_point_report *reports; /* borrowed */
    int n_reports;
    int64_t seq, log_offset;
    int64_t first_row, last_row; /* of the metrics table; 0 = none */

    /* SAVED */
    int64_t step;

    /* GPU_FAILED: text says which GPU and what */
    int gpu;          /* its position among the machine's */
    int xid;          /* the driver's number of the error; 0 = the GPU is lost */
    bool is_of_use;   /* it goes on, only what ran there is spoiled */
    const char *uuid; /* for who reads the journal; borrowed */

    /* DONE: outcome of PROTOCOL.md; DONE, ASK_FAILED, GANG_ENDED, STALLED: text for people; all
     * borrowed */
    const char *outcome, *text;

    /* GANG_ENDED */
    enum kd_gang_end end;
    int exit_code, exit_signal; /* -1 = none */
};

const char *kd_event_name(enum kd_event_kind kind);
int kd_event_find(const char *name); /* -1 = none */

/* The event as the journal keeps it (JSON object; owned by the caller). Reports are left out: they
 * are rows first_row .. last_row of the metrics table. */
char *kd_event_to_json(const struct kd_event *event, int n_params);

/* Fills *event from the journal's text; what it borrows lives as long as *body (owned by the
 * caller) and *values (malloc'ed, owned by the caller). */
int kd_event_from_json(const char *kind, double at, const char *text, int n_params,
                       struct kd_event *event, json_t **body, double **values,
                       struct kd_error *err);

/* id, name in the journal, is it kept there (SAVE_* are rows of their own) */
#define KD_ACTIONS(X)                                                                              \
    X(SAVE_EXPERIMENT, "save_experiment", false)                                                   \
    X(SAVE_TRIAL, "save_trial", false)     /* trial */                                             \
    X(SAVE_ATTEMPT, "save_attempt", false) /* fence */                                             \
    X(SAVE_GANG, "save_gang", false)       /* gang */                                              \
    X(ASK, "do.ask", true)                 /* n points wanted */                                   \
    X(START, "do.start", true)   /* gang; fence and trial when it serves only this one */          \
    X(ASSIGN, "do.assign", true) /* gang, fence, trial */                                          \
    X(STOP, "do.stop", true)     /* gang, fence: finish at the next boundary */                    \
    X(YIELD, "do.yield", true)   /* gang, fence: checkpoint and give the gang back */              \
    X(KILL, "do.kill", true)     /* gang: TERM, grace, KILL */                                     \
    X(EXIT, "do.exit", true)     /* gang: idle, may end */                                         \
    X(PIN, "do.pin", true)       /* trial, step: keep its checkpoint of this rung for clones */    \
    X(CLONE, "do.clone", true)   /* trial, parent, step: give it what was pinned there */          \
    X(FINISH, "do.finish", true) /* nothing is left to wait for */

enum kd_action_kind {
#define X(id, name, kept) KD_DO_##id,
    KD_ACTIONS(X)
#undef X
        KD_N_ACTIONS
};

struct kd_action {
    enum kd_action_kind kind;
    int64_t gang, fence;
    int trial, n; /* -1, 0 = none */
    int parent;   /* CLONE */
    int64_t step; /* PIN, CLONE */
};

const char *kd_action_name(enum kd_action_kind kind);
bool kd_action_is_kept(enum kd_action_kind kind);
char *kd_action_to_json(const struct kd_action *action); /* owned by the caller */

#endif
