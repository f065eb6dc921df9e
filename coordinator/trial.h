/* trial.h - a trial, its attempts and the gangs that serve them: plain data, and the one table of
 * moves.
 *
 * A trial is one point to be tried. An attempt is one assignment of it to a gang; a retry keeps the
 * trial. Numbers are dense from 0 within the experiment; fences are unique and ascending within the
 * store file and name an attempt everywhere (bus, store, checkpoints). Pure: no I/O, no clock. */
#ifndef KD_TRIAL_H
#define KD_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

/* name shown to people and stored; terminal or not */
#define KD_TRIAL_STATES(X)                                                                         \
    X(PENDING, "Pending", false)                                                                   \
    X(RUNNING, "Running", false)                                                                   \
    X(PAUSED, "Paused", false)                                                                     \
    X(SUCCEEDED, "Succeeded", true)                                                                \
    X(EARLY_STOPPED, "EarlyStopped", true)                                                         \
    X(FAILED, "Failed", true)                                                                      \
    X(KILLED, "Killed", true)                                                                      \
    X(METRICS_UNAVAILABLE, "MetricsUnavailable", true)

enum kd_trial_state {
#define X(id, name, terminal) KD_TRIAL_##id,
    KD_TRIAL_STATES(X)
#undef X
        KD_N_TRIAL_STATES
};

#define KD_ATTEMPT_STATES(X)                                                                       \
    X(LAUNCHING, "launching")                                                                      \
    X(LIVE, "live")                                                                                \
    X(STOPPING, "stopping")                                                                        \
    X(WON, "won")                                                                                  \
    X(YIELDED, "yielded")                                                                          \
    X(LOST, "lost")                                                                                \
    X(FAILED, "failed")

enum kd_attempt_state {
#define X(id, name) KD_ATTEMPT_##id,
    KD_ATTEMPT_STATES(X)
#undef X
        KD_N_ATTEMPT_STATES
};

/* What can happen to a trial; trial.c has the table (from, event, to). */
#define KD_TRIAL_MOVES(X)                                                                          \
    X(ASSIGNED, "assigned to a gang")                                                              \
    X(FINISHED, "finished with an objective")                                                      \
    X(STOPPED, "stopped early by the stopper")                                                     \
    X(BROKE, "failed, no retry left")                                                              \
    X(NO_METRIC, "ended without its objective")                                                    \
    X(RETRIED, "lost or failed, to be run again")                                                  \
    X(YIELDED, "gave up its gang, to be resumed")                                                  \
    X(PAUSED, "stands at its rung, to go on if it is among the best")                              \
    X(RESUMED, "is among the best, and goes on to a further rung")                                 \
    X(KILLED, "ended by the user or the experiment")

enum kd_trial_move {
#define X(id, text) KD_MOVE_##id,
    KD_TRIAL_MOVES(X)
#undef X
        KD_N_TRIAL_MOVES
};

#define KD_GANG_STATES(X)                                                                          \
    X(STARTING, "starting")                                                                        \
    X(IDLE, "idle")                                                                                \
    X(BUSY, "busy")                                                                                \
    X(STOPPING, "stopping")                                                                        \
    X(ENDED, "ended")

enum kd_gang_state {
#define X(id, name) KD_GANG_##id,
    KD_GANG_STATES(X)
#undef X
        KD_N_GANG_STATES
};

struct kd_attempt {
    int64_t fence; /* the primary key */
    int trial;     /* number */
    int n;         /* 1-based count within the trial */
    int64_t gang;  /* id */
    enum kd_attempt_state state;
    int64_t last_seq;               /* of the trial messages applied; 0 = none */
    int64_t log_offset;             /* bytes of the command's log whose metrics are committed */
    double started_at, finished_at; /* REAL UTC seconds, 0 = not yet */
    char *outcome;                  /* owned; NULL = not yet */
};

struct kd_trial {
    int number;
    double *values; /* n_params values (search/space.h); owned */
    enum kd_trial_state state;
    char *reason;       /* owned; every terminal state has one a person can act on */
    bool has_objective; /* each of the objectives was reported */
    double objective;   /* the first; in the user's direction; NaN and infinities are values */
    double
        *more_objectives; /* owned; the n_more_objectives after it, alike; NULL while unfinished */
    double *excess;       /* owned; how far beyond each of n_constraints bounds, NaN = not known;
                                feasible when all <= 0; NULL while unfinished */
    int n_more_objectives, n_constraints; /* as long as those are */
    int64_t until;                        /* fidelity to train to, 0 = to the end */
    int parent;                           /* trial number, -1 = none */
    int64_t parent_step; /* the rung of the parent from whose checkpoint it starts, 0 = none */
    int attempts, user_failures, infra_failures;
    int64_t fence;    /* of the newest attempt, 0 = none */
    char *ask_basis;  /* JSON: what the strategy had seen: {"done":17,"running":[18,19]}; owned */
    int64_t done_seq; /* order of completion from 0; -1 = not finished */
    int64_t seed;     /* 63 bits: a hash of (experiment seed, number) */
    double created_at, started_at, finished_at;
    int exit_code, exit_signal; /* of a command; -1 = none */
    char *log;                  /* path of the newest attempt's log; owned; NULL = none */
};

struct kd_gang {
    int64_t id;
    char *token_hash; /* hex of the gang's secret; owned */
    char *shape;      /* JSON: {"ranks":2,"gpus":0,"cpus":2}; owned */
    char *slots;      /* JSON: {"gpus":[0],"cpus":[0,1]}; owned */
    char *run_dir;    /* owned */
    char *boot_id;    /* owned */
    enum kd_gang_state state;
};

const char *kd_trial_state_name(enum kd_trial_state state);
int kd_trial_state_find(const char *name); /* -1 = none */
bool kd_trial_is_terminal(enum kd_trial_state state);
const char *kd_trial_move_text(enum kd_trial_move move);

/* The table: false when the move is not allowed from this state. */
bool kd_trial_next_state(enum kd_trial_state from, enum kd_trial_move move,
                         enum kd_trial_state *to);

const char *kd_attempt_state_name(enum kd_attempt_state state);
const char *kd_gang_state_name(enum kd_gang_state state);

/* Did all objectives end finite, and does every constraint hold? */
bool kd_trial_is_finite(const struct kd_trial *trial);
bool kd_trial_is_feasible(const struct kd_trial *trial);

void kd_trial_release(struct kd_trial *trial);
void kd_attempt_release(struct kd_attempt *attempt);
void kd_gang_release(struct kd_gang *gang);

#endif
