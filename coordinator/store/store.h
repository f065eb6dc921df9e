/* store.h - the one SQLite file: written here by its owner, read by query.h.
 *
 * Exactly one connection in one process writes and checkpoints: the owner, which holds an exclusive
 * lock on <file>.lock (flock, taken before anything is opened and retried for 2 s) that names it.
 * WAL, synchronous=FULL. Every change stands inside begin .. commit; after commit has returned 0 it
 * survives kill -9 and power loss. When commit fails (disk full, I/O error) the transaction is
 * rolled back: the caller must not act on it.
 *
 * Knows rows, not decisions: what changes is decided in study.c. */
#ifndef KD_STORE_H
#define KD_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "coordinator/gpu_usage.h"
#include "coordinator/trial.h"
#include "search/space.h"

struct kd_store;

enum kd_store_failure {
    KD_STORE_OK,
    KD_STORE_BROKEN,
    KD_STORE_LOCKED /* another owner is alive: exit 7 */
};

/* Creates the file when there is none. term counts the coordinator's starts on this file. On a
 * failure *why says which (the owner's pid, host and command line are in the text when it is
 * locked). */
struct kd_store *kd_store_open(const char *path, enum kd_store_failure *why, struct kd_error *err);
void kd_store_close(struct kd_store *store); /* checkpoints the WAL; NULL is fine */

const char *kd_store_run_uuid(const struct kd_store *store); /* 32 hex digits, random, per file */
int64_t kd_store_term(const struct kd_store *store);
const char *kd_store_path(const struct kd_store *store); /* absolute */

int kd_store_begin(struct kd_store *store, struct kd_error *err);
int kd_store_commit(struct kd_store *store, struct kd_error *err);
void kd_store_rollback(struct kd_store *store);
double kd_store_commit_seconds(const struct kd_store *store); /* spent in commits so far */

struct kd_experiment_row {
    int64_t id;                                               /* given by kd_store_add_experiment */
    char *name, *spec, *canonical, *digest, *base_dir, *file; /* owned by the row */
    char *state,
        *reason; /* Katib's: Created, Running, Succeeded, Failed; reason ExperimentGoalReached ... */
    uint64_t seed;
    double created_at, finished_at;
};
void kd_experiment_row_release(struct kd_experiment_row *row);

/* 1 found and filled, 0 there is none, -1. */
int kd_store_find_experiment(struct kd_store *store, const char *name,
                             struct kd_experiment_row *row, struct kd_error *err);
int kd_store_add_experiment(struct kd_store *store, struct kd_experiment_row *row,
                            struct kd_error *err);
/* Replaces the spec's text (its limits, goal and counts may change), state and reason. */
int kd_store_save_experiment(struct kd_store *store, const struct kd_experiment_row *row,
                             struct kd_error *err);

/* Insert or update by (experiment, number), fence, gang id. A new trial's parameters go to
 * `params`, typed. */
int kd_store_save_trial(struct kd_store *store, int64_t experiment, const struct kd_trial *trial,
                        const struct kd_space *space, struct kd_error *err);
int kd_store_save_attempt(struct kd_store *store, int64_t experiment,
                          const struct kd_attempt *attempt, struct kd_error *err);
int kd_store_save_gang(struct kd_store *store, const struct kd_gang *gang, struct kd_error *err);

/* The i-th GPU of an attempt: its number, and its UUID. Later what the attempt made of it; what is
 * not known stays NULL. */
int kd_store_add_attempt_gpu(struct kd_store *store, int64_t fence, int i, int gpu,
                             const char *uuid, struct kd_error *err);
int kd_store_save_gpu_usage(struct kd_store *store, int64_t fence, int i,
                            const struct kd_gpu_usage *usage, struct kd_error *err);

int kd_store_add_artifact(struct kd_store *store, int64_t experiment, int trial, const char *kind,
                          const char *path, int64_t bytes, const char *digest,
                          struct kd_error *err);

struct kd_metric_point {
    const char *name; /* borrowed */
    int64_t step;
    double value;
    double at; /* REAL UTC seconds */
};
/* Appends; *first .. *last are the row ids given (dense), for the journal. n >= 1. */
int kd_store_add_metrics(struct kd_store *store, int64_t experiment, int trial, int64_t fence,
                         const struct kd_metric_point *points, int n, int64_t *first, int64_t *last,
                         struct kd_error *err);

/* The journal: one row per event that reached the study and per decision it took. data is JSON. */
int kd_store_add_event(struct kd_store *store, int64_t experiment, double at,
                       int trial /* -1 = none */, const char *kind, const char *data,
                       struct kd_error *err);

/* Calls fn for each event of the experiment in order; a non-zero return ends the walk and is
 * returned. */
typedef int (*kd_event_fn)(void *ud, int64_t seq, double at, int trial, const char *kind,
                           const char *data, struct kd_error *err);
int kd_store_each_event(struct kd_store *store, int64_t experiment, kd_event_fn fn, void *ud,
                        struct kd_error *err);

/* The metric rows first .. last, in order, of one name only when name is not NULL. */
typedef int (*kd_metric_fn)(void *ud, const struct kd_metric_point *point);
int kd_store_each_metric(struct kd_store *store, int64_t first, int64_t last, const char *name,
                         kd_metric_fn fn, void *ud, struct kd_error *err);

/* Highest fence and gang id ever given in this file, so that they are never given twice. */
int kd_store_highest(struct kd_store *store, int64_t *fence, int64_t *gang, struct kd_error *err);

/* The same walks on a file that someone else may own: opened read-only (replay, the commands that
 * show). */
struct kd_store *kd_store_open_readonly(const char *path, struct kd_error *err);

/* What is on disk of a path's owner: fills text with "pid 123 on host ..., `katydid run
 * sweep.yaml`"; false = free. */
bool kd_store_owner(const char *path, char *text, int size);

#endif
