/* study.h - one experiment being run: its history, its trials, and every decision about them.
 *
 * Pure: no clock, no I/O, no randomness of its own. kd_study_apply takes one event and appends the
 * actions that follow from it; the loop records them, commits, and only then acts. The state after
 * a restart is the same events applied again, so there is one path for running, resuming and
 * replaying.
 *
 *   a point       SUGGESTED -> trial Pending
 *   a placement   Pending trial + free slots -> START (command) or START/READY/ASSIGN (warm trainer gang)
 *   an end        DONE (trainer) or GANG_ENDED (command) -> Succeeded ... or Pending again for a retry
 *   the end       goal, failures, budget or space used up -> stop what runs -> FINISH
 *
 * Under a stopper that pauses trials (asha by promotion, hyperband, pbt) a free slot is the
 * scheduler's to fill, one at a time (search/stopper.h, kd_scheduler_next):
 *
 *     NEW       a point is asked for (one question at a time, with its `until` kept until the answer comes), or the
 *               stopper wrote it: a clone, Pending with a parent, CLONE gives it the parent's pinned checkpoint
 *     RESUME    Paused -> Pending with a further `until`; its next attempt goes on from its checkpoint
 *     WAIT      the slot stays free until something changes
 *     END       trials that still stand paused are EarlyStopped, and the experiment is over
 *
 * A trial with `until` ends by itself there: DONE "succeeded" of the trainer, exit 0 of a command,
 * or its TERM when it reports beyond the rung or takes longer than limits.grace. Its report at the
 * rung was judged before that; it then stands Paused (attempt yielded), is EarlyStopped (attempt
 * won) where the value is not finite or the goal is met, and never Succeeded: that is for trials
 * whose `until` is 0. A verdict of PAUSE before `until` is a YIELD to the gang. Where the stopper
 * clones, PIN keeps the checkpoint of each pause, so that a clone starts from its parent's rung
 * although the parent went on. While an answer is out only RESUME is followed: the trial that was
 * asked for has the next number. */
#ifndef KD_STUDY_H
#define KD_STUDY_H

#include "coordinator/base/arr.h"
#include "coordinator/event.h"
#include "coordinator/feed.h"
#include "coordinator/pool.h"
#include "coordinator/spec/experiment.h"
#include "coordinator/trial.h"
#include "coordinator/watch.h"
#include "search/history.h"

/* Katib's reasons, and the ones it lacks. id, state, reason, final: unfinished trials are over too;
 * else they go on when the same command is run again with more time, or with what was broken
 * mended. */
#define KD_STUDY_ENDS(X)                                                                           \
    X(RUNNING, "Running", "ExperimentRunning", false)                                              \
    X(GOAL, "Succeeded", "ExperimentGoalReached", true)                                            \
    X(MAX_TRIALS, "Succeeded", "ExperimentMaxTrialsReached", true)                                 \
    X(SPACE_END, "Succeeded", "ExperimentSuggestionEndReached", true)                              \
    X(TOO_MANY_FAILED, "Failed", "ExperimentFailed", true)                                         \
    X(WALL_TIME, "Succeeded", "ExperimentWallTimeReached", false)                                  \
    X(BROKEN, "Failed", "ExperimentCannotRun", false)

enum kd_study_end {
#define X(id, state, reason, final) KD_STUDY_##id,
    KD_STUDY_ENDS(X)
#undef X
        KD_N_STUDY_ENDS
};

/* Why an attempt was asked to end. */
enum kd_stop_cause {
    KD_CAUSE_NONE,
    KD_CAUSE_EARLY,   /* the stopper's verdict */
    KD_CAUSE_KILLED,  /* the experiment is over */
    KD_CAUSE_TIME,    /* limits.trialTime */
    KD_CAUSE_DRAIN,   /* the user stops in order; the trial will be resumed */
    KD_CAUSE_STALLED, /* no progress */
    KD_CAUSE_GPU,     /* one of its GPUs failed: its gang's fault says which */
    KD_CAUSE_RUNG,    /* it has reached its rung: it ends by itself, or is asked to */
    KD_CAUSE_WHOLE,   /* the same at fidelity.max: a command that knows nothing of its budget */
};

struct kd_study_gang {
    struct kd_gang row;
    struct kd_slots *slots; /* owned; NULL once it has ended */
    int64_t fence;          /* of the attempt it works on, 0 = none */
    bool one_trial_only;    /* a command's gang */
    char *fault;            /* owned; which of its GPUs failed and how; NULL = none */
};

struct kd_study_attempt {
    struct kd_attempt row;
    enum kd_stop_cause cause;
    int64_t resumed_from; /* checkpoint's step, 0 = from the start */
    double ends_by; /* a command at its rung that has not ended by then is asked to; 0 = none */
};

typedef KD_ARR(struct kd_action) kd_actions;

struct kd_study {
    const struct kd_experiment *experiment; /* borrowed */
    struct kd_history history;              /* what stoppers see and strategies are told */
    struct kd_history priors; /* of an earlier experiment: strategies are told these first */
    bool is_primed;           /* the priors have come, maybe none */
    KD_ARR(struct kd_series)
    series; /* of the running trials; per trial the watches after the first */
    struct kd_scheduler *scheduler;           /* owned; the experiment's stopper at work */
    bool schedules, clones;                   /* it pauses trials; it starts clones of them */
    KD_ARR(struct kd_halt) halts;             /* every pause and every going on, in order */
    int64_t asked_until;                      /* of the trial whose point is being asked for */
    KD_ARR(struct kd_trial) trials;           /* by number */
    KD_ARR(struct kd_study_attempt) attempts; /* by ascending fence */
    KD_ARR(struct kd_study_gang) gangs;       /* by ascending id */
    KD_ARR(int) live_gangs;                   /* indices into gangs: not ended */
    KD_ARR(int) pending;                      /* numbers of the Pending trials, oldest first */
    KD_ARR(int64_t) saved_step;               /* per trial: newest durable checkpoint, 0 = none */
    KD_ARR(int64_t) rung_step;                /* per trial: where it paused last, 0 = nowhere */
    struct kd_pool pool;
    struct kd_need need;
    int n_ranks;

    /* As of the newest STARTED, never the spec's: a changed limit must not change what was decided
     * under another. */
    int parallel, max_trials, max_failed, max_retries;
    double trial_time_s, wall_time_s, grace_s;
    bool has_goal;
    double goal;
    int64_t next_fence, next_gang;

    enum kd_study_end end;
    char *end_text; /* owned; for people */
    bool suspended; /* between a coordinator's death and the next STARTED: nothing is placed */
    bool draining, finished, exhausted;
    bool asking;                                /* an ASK is out */
    int ask_n, ask_trials, ask_done, ask_halts; /* the basis of the newest ASK */
    int n_bad_starts;
    double started_at;
    int counts[KD_N_TRIAL_STATES];
    int best; /* trial number, -1 = none; always so with several objectives */
};

struct kd_study *kd_study_new(const struct kd_experiment *experiment);
void kd_study_free(struct kd_study *study);

/* Applies one event; appends actions. An event about a fence or gang that is over changes
 * nothing. */
void kd_study_apply(struct kd_study *study, const struct kd_event *event, kd_actions *actions);

/* When the next TIMER event is due (REAL UTC seconds), 0 = never. */
double kd_study_deadline(const struct kd_study *study);

/* NULL when there is none of it (a stale fence, an unknown gang). Borrowed until the next apply. */
struct kd_study_attempt *kd_study_find_attempt(struct kd_study *study, int64_t fence);
struct kd_study_gang *kd_study_find_gang(struct kd_study *study, int64_t gang);

/* Is this attempt one whose messages still count? */
bool kd_study_is_live(struct kd_study *study, int64_t fence);

/* What one trial takes: ranks and slots. */
int kd_experiment_ranks(const struct kd_experiment *experiment);
struct kd_need kd_experiment_need(const struct kd_experiment *experiment);

const char *kd_study_state_name(enum kd_study_end end);
const char *kd_study_reason_name(enum kd_study_end end);
bool kd_study_is_final(enum kd_study_end end);

/* Trials that are over, and those of them that failed (Katib counts MetricsUnavailable as
 * failed). */
int kd_study_n_done(const struct kd_study *study);
int kd_study_n_failed(const struct kd_study *study);

/* What the strategy is to know for the newest ASK. */
struct kd_feed_source kd_study_feed_source(const struct kd_study *study);

/* {"done":17,"running":[18,19]}: what the strategy saw at the newest ASK; with "halts":3 where
 * trials had paused; owned. */
char *kd_study_basis_json(const struct kd_study *study);

#endif
