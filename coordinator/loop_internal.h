/* loop_internal.h - what the parts of the loop share: loop.c (turns), loop_bus.c (messages of
 * gangs), loop_ask.c (the strategy), loop_launch.c (starting
 * gangs), loop_gang.c (reading and ending them), loop_gpus.c (GPUs that fail, and what is made of
 * them), loop_checkpoint.c (what clones start from), loop_disk.c (a full disk), loop_recover.c
 * (gangs of a coordinator before), loop_start.c (opening, resuming, closing). */
#ifndef KD_LOOP_INTERNAL_H
#define KD_LOOP_INTERNAL_H

#include "coordinator/bus/router.h"
#include "coordinator/feed.h"
#include "coordinator/launch/gang_process.h"
#include "coordinator/launch/gpu_watch.h"
#include "coordinator/launch/machine.h"
#include "coordinator/loop.h"
#include "coordinator/store/store.h"
#include "coordinator/tail.h"
#include "coordinator/worker.h"

/* A gang whose processes live, or are about to. */
struct kd_live_gang {
    int64_t id;
    char *token;               /* owned; 32 hex digits; only this gang and we know it */
    char *dir, *scratch, *log; /* owned */
    struct kd_gang_process process;
    bool has_address;
    struct kd_address address;    /* where rank 0 can be answered */
    struct kd_tail *tail;         /* where a command's metrics appear; NULL for the trainer */
    bool has_own_metrics;         /* in a file, not in its output */
    bool is_more;                 /* not everything that it wrote is read */
    int64_t read_mib;             /* of its log; the gang was told */
    bool has_ended;               /* its processes are gone */
    bool is_killed;               /* told to end at once */
    int64_t fence;                /* of a command's attempt */
    int64_t pulse_step, moved_us; /* last sign of progress (monotonic) */
    int64_t kill_at_us;           /* it was asked to end; 0 = not */
    int64_t look, look_until_us;  /* it has ended: did one of its GPUs fail? 0 = not asked */
};

struct kd_ack {
    int64_t gang, fence, seq;
};

/* Who answers the questions, and the one that is open. */
struct kd_loop_strategy {
    char *token;  /* owned; only our own worker knows it */
    bool listens; /* it has said HELLO */
    struct kd_address address;
    char *name;          /* owned; of an external one */
    struct kd_feed feed; /* how far it was told */
    bool ask_waits;      /* the question was not sent yet */
    int64_t deadline_us; /* of the answer (monotonic); 0 = no question is open */
    int64_t n_refused;   /* answers to it that did not fit */
    char last_refusal[256];
};

/* When the disk was last looked at, and since when it is full (monotonic; 0 = it is not). */
struct kd_loop_disk {
    int64_t looked_us, full_us;
};

/* Who looks at the GPUs, and the attempts (fences) that hold some. */
struct kd_loop_gpus {
    struct kd_gpu_watch *watch; /* owned; NULL: nobody, or no trial takes a GPU */
    KD_ARR(int64_t) held;
    int64_t looked;                   /* all errors until this look were taken */
    int64_t missed;                   /* the look that was waited for in vain; 0 = none */
    KD_ARR(struct kd_gpu_fault) told; /* errors of which a person heard */
};

struct kd_loop {
    const struct kd_run_options *options; /* borrowed */
    const struct kd_experiment *experiment;
    struct kd_store *store;
    struct kd_experiment_row row;
    struct kd_study *study;
    struct kd_machine machine;
    struct kd_launch_programs programs;
    char *trainer_program;    /* owned */
    char *run_dir, *data_dir; /* sockets; <database>.d. owned */
    char *endpoint;           /* owned */
    int run_dir_lock;         /* -1 = not ours */

    struct kd_router *router;
    struct kd_worker *worker; /* NULL: the strategy is external */
    struct kd_loop_strategy strategy;
    struct kd_loop_disk disk;
    struct kd_loop_gpus gpus;
    json_t *priors; /* owned; what an earlier experiment teaches this one; NULL = nothing to say */

    KD_ARR(struct kd_live_gang) gangs;
    kd_actions effects;  /* of this turn, to be done after the commit */
    KD_ARR(char *) gone; /* folders to remove once the ends of their gangs are durable; owned */
    kd_actions shown;    /* everything decided in it, to be shown after the commit */
    KD_ARR(struct kd_ack) acks;
    KD_ARR(char *) failed_starts; /* texts; with failed_gangs: reported in the next turn */
    KD_ARR(int64_t) failed_gangs;

    int signals;        /* signalfd */
    int n_stops;        /* how often the user asked */
    int64_t stopped_us; /* when, last */
    bool in_transaction, finished, broken;
    struct kd_error *err; /* of the run */
    double real_at_start;
    int64_t mono_at_start;
    int64_t n_dropped; /* messages of stale fences, unknown gangs, other files */
};

double kd_loop_now(const struct kd_loop *loop); /* REAL seconds that never jump */

/* Gives the event to the study within this turn's transaction. -1: the store failed. */
int kd_loop_deliver(struct kd_loop *loop, const struct kd_event *event);

/* Opens the turn's transaction when it is not open yet. */
int kd_loop_begin(struct kd_loop *loop);
void kd_loop_note(const struct kd_loop *loop, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Removes a folder after this turn's commit: until then its exit record may be needed again. */
void kd_loop_remove_later(struct kd_loop *loop, const char *path);

/* loop_disk.c. -1: it has been full for too long; the text says what to do. */
int kd_loop_watch_disk(struct kd_loop *loop);

/* loop_bus.c */
int kd_loop_read_bus(struct kd_loop *loop);
void kd_loop_send_acks(struct kd_loop *loop);
void kd_loop_assign(struct kd_loop *loop, struct kd_live_gang *gang, int64_t fence);
void kd_loop_tell_gang(struct kd_loop *loop, const struct kd_action *action,
                       enum kd_message_type type);
int kd_loop_record_metrics(struct kd_loop *loop, struct kd_event *event,
                           const struct kd_metric_point *points, int n);

/* loop_ask.c: the strategy, ours or an external one */
void kd_loop_ask(struct kd_loop *loop);
/* Some questions are not for the strategy: `try` has its point, and an external one is not asked
 * for the enqueued ones. */
bool kd_loop_knows_answer(const struct kd_loop *loop);
int kd_loop_answer(struct kd_loop *loop);
bool kd_loop_is_from_strategy(const struct kd_loop *loop, const struct kd_address *from,
                              enum kd_message_type type, const json_t *body);
int kd_loop_hear_strategy(struct kd_loop *loop, const struct kd_address *from,
                          enum kd_message_type type, const json_t *body);
int kd_loop_watch_ask(struct kd_loop *loop); /* the answer has a deadline */
void kd_loop_end_strategy(struct kd_loop *loop);

/* loop_launch.c */
char *kd_loop_random_token(void); /* 32 hex digits; owned */
void kd_loop_start_gang(struct kd_loop *loop, const struct kd_action *action);
bool kd_loop_runs_trainer(const struct kd_loop *loop);
char *kd_loop_trial_dir(const struct kd_loop *loop, int trial);
/* Where the trial's checkpoints are: the trainer's, or what the spec says of a command's. */
char *kd_loop_checkpoint_dir(const struct kd_loop *loop, const struct kd_trial *trial);
char *kd_loop_gang_dir(const struct kd_loop *loop, int64_t id);
char *kd_loop_attempt_log(const struct kd_loop *loop, const struct kd_trial *trial);

/* What an attempt's command writes: its log (owned by the caller), and what its metrics are read
 * from. NULL and err. */
struct kd_tail *kd_loop_open_tail(const struct kd_loop *loop,
                                  const struct kd_study_attempt *attempt, char **log,
                                  struct kd_error *err);

/* loop_gang.c */
struct kd_live_gang *kd_loop_find_gang(struct kd_loop *loop, int64_t id);
void kd_loop_end_gang(struct kd_loop *loop, int64_t id, bool kill_now);
int kd_loop_read_gangs(struct kd_loop *loop, const bool *ready);
int kd_loop_watch_gangs(struct kd_loop *loop);
void kd_live_gang_release(struct kd_live_gang *gang);

/* Reads what is new in a command's metrics and records it. */
int kd_loop_record_tail(struct kd_loop *loop, struct kd_tail *tail, int64_t fence, bool at_end,
                        bool *is_more);
bool kd_loop_gangs_have_more(const struct kd_loop *loop);
int kd_loop_report_end(struct kd_loop *loop, int64_t id, const struct kd_exit_record *record,
                       const char *lines);

/* loop_gpus.c */
void kd_loop_open_gpus(struct kd_loop *loop);
/* An attempt is saved: it begins with its GPUs, or gives them back. */
int kd_loop_note_gpus(struct kd_loop *loop, const struct kd_attempt *attempt);
/* Tells the study of GPUs that fail, and writes what was measured of attempts that are over. */
int kd_loop_read_gpus(struct kd_loop *loop);
/* A gang that has ended: must it be looked first whether one of its GPUs failed, so that its trial
 * is not blamed? */
bool kd_loop_awaits_gpus(struct kd_loop *loop, struct kd_live_gang *gang);
int kd_loop_settle_gpus(
    struct kd_loop
        *loop); /* the same at the end of a run, when it is waited for, a second at most */
void kd_loop_close_gpus(struct kd_loop *loop);

/* loop_checkpoint.c */
void kd_loop_pin(struct kd_loop *loop, const struct kd_action *action);
void kd_loop_clone(struct kd_loop *loop, const struct kd_action *action);
void kd_loop_mend_checkpoints(struct kd_loop *loop); /* what a crash left undone */
void kd_loop_unpin_all(struct kd_loop *loop);        /* the experiment is over for good */
/* The folder from which a clone of the trainer starts; owned. NULL: the trial is none. */
char *kd_loop_parent_checkpoint(const struct kd_loop *loop, const struct kd_trial *trial);

/* loop_recover.c */
int kd_loop_recover_gangs(struct kd_loop *loop);

/* loop_start.c */
enum kd_run_end kd_loop_open(struct kd_loop *loop);
void kd_loop_close(struct kd_loop *loop);

#endif
