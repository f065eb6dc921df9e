/* query.h - what the commands read: rows as structs, from a store opened read-only.
 *
 * Reads take a snapshot and never wait for the writer or hold it up. Everything returned is owned
 * by the caller and released by the function that stands below its struct. */
#ifndef KD_STORE_QUERY_H
#define KD_STORE_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "coordinator/store/store.h"
#include "coordinator/trial.h"

/* From here to end all reads see one moment of the file. */
int kd_query_begin(struct kd_store *store, struct kd_error *err);
void kd_query_end(struct kd_store *store);

struct kd_objective_info {
    char *metric; /* owned; NULL when the spec does not say */
    bool maximize;
};

struct kd_experiment_info {
    int64_t id;
    char *name, *state, *reason, *file, *canonical;
    struct kd_objective_info *objectives; /* owned; n_objectives, at least one */
    int n_objectives;
    const char *metric; /* of the first objective; borrowed */
    bool maximize;
    char **constraints; /* owned; n_constraints texts: "bytes <= 1e6" */
    int n_constraints;
    double created_at, finished_at;
    int n_trials, counts[KD_N_TRIAL_STATES];
    int best; /* number of the best trial: finite objective, Succeeded or EarlyStopped, every constraint holds; -1 = none,
                 always so with several objectives */
    double best_objective;
};

/* All experiments, oldest first. */
int kd_query_experiments(struct kd_store *store, struct kd_experiment_info **experiments, int *n,
                         struct kd_error *err);
void kd_experiment_infos_free(struct kd_experiment_info *experiments, int n);

/* One by name, or the latest when name is NULL. 1 found, 0 not, -1. */
int kd_query_experiment(struct kd_store *store, const char *name,
                        struct kd_experiment_info *experiment, struct kd_error *err);
void kd_experiment_info_release(struct kd_experiment_info *experiment);

struct kd_param_value {
    char *name, *text; /* as the user writes it; numbers in their shortest form */
    bool is_text;      /* categorical */
};

/* Of some GPUs and some time together, or of one: the greatest peaks, the mean over the time, the
 * sum of the energy. NaN, or -1 for bytes: not known. */
struct kd_gpu_total {
    double seconds, percent_mean, percent_peak, celsius_peak, joules;
    int64_t memory_peak_bytes;
};

struct kd_trial_info {
    int number;
    enum kd_trial_state state;
    char *reason, *log;
    bool has_objective;
    double objective;   /* the first; may be NaN or infinite */
    double *objectives; /* owned; n_objectives, 0 without objective */
    double *excess;     /* owned; n_constraints: how far beyond each bound; NaN = not known */
    int n_objectives, n_constraints;
    bool is_feasible; /* over, and every constraint holds */
    int attempts, parent /* -1 */;
    int64_t until;
    double created_at, started_at, finished_at; /* 0 = not yet */
    int exit_code, exit_signal;                 /* -1 = none */
    int n_gpus;                                 /* rows of attempt_gpus; 0: it held none */
    struct kd_gpu_total gpus;                   /* of all its attempts */
    struct kd_param_value *params; /* in the order of the space; inactive ones missing */
    int n_params;
};

/* The trials of an experiment by number; only that one when number >= 0. */
int kd_query_trials(struct kd_store *store, int64_t experiment, int number,
                    struct kd_trial_info **trials, int *n, struct kd_error *err);
void kd_trial_infos_free(struct kd_trial_info *trials, int n);

/* One GPU of one attempt. */
struct kd_attempt_gpu_info {
    int number, attempt, gpu; /* trial; which attempt of it, from 1; as nvidia-smi numbers it */
    char *uuid;               /* owned */
    struct kd_gpu_total used;
};
/* The GPUs of the trials' attempts, in order; only of that trial when number >= 0. */
int kd_query_gpus(struct kd_store *store, int64_t experiment, int number,
                  struct kd_attempt_gpu_info **gpus, int *n, struct kd_error *err);
void kd_attempt_gpu_infos_free(struct kd_attempt_gpu_info *gpus, int n);

/* A GPU that failed while an experiment ran, from the journal. */
struct kd_gpu_failure {
    char *experiment, *uuid, *text; /* owned; text: "GPU 1 (GPU-...) failed: ..." */
    int xid;                        /* the driver's number; 0 = it was lost */
    bool is_of_use;                 /* it went on, only what ran there was spoiled */
    double at;
};
/* Those of an experiment, or of all when it is 0; oldest first. */
int kd_query_gpu_failures(struct kd_store *store, int64_t experiment,
                          struct kd_gpu_failure **failures, int *n, struct kd_error *err);
void kd_gpu_failures_free(struct kd_gpu_failure *failures, int n);

/* Katib's observation: a metric's extremes over its finite points, and its last point. */
struct kd_observed_metric {
    char *name;
    double min, max, latest; /* min and max are NaN without a finite point */
    int64_t step;            /* of the latest */
};
int kd_query_observation(struct kd_store *store, int64_t experiment, int number,
                         struct kd_observed_metric **metrics, int *n, struct kd_error *err);
void kd_observed_metrics_free(struct kd_observed_metric *metrics, int n);

/* The points of one metric of a trial, steps ascending, each as its newest attempt reported it. */
int kd_query_points(struct kd_store *store, int64_t experiment, int number, const char *metric,
                    kd_metric_fn fn, void *ud, struct kd_error *err);

/* 1 some trial of the experiment has recorded the metric, 0 none, -1. *recorded: all that were,
 * with commas; owned by the caller. */
int kd_query_has_metric(struct kd_store *store, int64_t experiment, const char *metric,
                        char **recorded, struct kd_error *err);

/* The tables and views of the schema with their columns, for `katydid explain database`. */
typedef void (*kd_table_fn)(void *ud, const char *table, const char *columns);
int kd_query_schema(kd_table_fn fn, void *ud, struct kd_error *err);

/* "3.40.1", and a note when this version needs care (NULL = none). */
const char *kd_sqlite_version(void);
const char *kd_sqlite_note(void);

#endif
