/* experiment.h - what the user asked for: the parsed spec, immutable once submitted (limits, goal and counts aside).
 *
 * Made by spec_read.h from YAML and overrides; Katib's v1beta1 Experiment and our katydid/v1 give the same struct.
 * Fields are Katib's in meaning and default; ours are marked. */
#ifndef KD_SPEC_EXPERIMENT_H
#define KD_SPEC_EXPERIMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "search/setting.h"
#include "search/space.h"
#include "search/stopper.h"
#include "search/strategy.h"

enum kd_metric_pick { KD_PICK_MIN, KD_PICK_MAX, KD_PICK_LATEST };
enum kd_template_kind { KD_TEMPLATE_COMMAND, KD_TEMPLATE_TRAINER, KD_TEMPLATE_JOB };
enum kd_fidelity_unit { KD_UNIT_EPOCH, KD_UNIT_STEP, KD_UNIT_REPORT };
enum kd_env_policy { KD_ENV_INHERIT, KD_ENV_CLEAN };
enum kd_metric_format { KD_FORMAT_TEXT, KD_FORMAT_JSON }; /* TEXT also takes JSON lines */

struct kd_objective {
    bool maximize;
    bool has_goal;
    double goal;              /* user's direction */
    char *metric;             /* owned */
    enum kd_metric_pick pick; /* which of the trial's points counts; default the best */
    char **additional;        /* owned; n_additional names, recorded and shown */
    int n_additional;
};

struct kd_resources { /* ours; per trial */
    int gpus;
    int processes;        /* ranks; 0 = default (command: 1; trainer: one per GPU, or 1) */
    double cpus;          /* 0 = default (1 per rank) */
    int64_t memory_bytes; /* 0 = no limit */
    bool oversubscribe;
};

struct kd_limits { /* ours; seconds, 0 = none */
    double trial_time_s, grace_s /* default 30 */, wall_time_s, progress_deadline_s, gpu_hours;
    int max_retries; /* of a trial after a failure of its own; default 0 */
};

struct kd_checkpoint_policy { /* ours; of a command */
    char *dir;                /* template text, owned; NULL = none */
    bool resumable;           /* a retried or resumed trial finds its checkpoints again */
    int keep;
};

struct kd_env_pair {
    char *name, *value; /* owned; value is template text */
};

struct kd_metrics_collector {
    enum kd_metric_format format;
    char *file; /* Katib's File collector: path that the trial writes; NULL = stdout and stderr */
    char *
        *filters; /* owned; PCRE2 patterns, group 1 name, group 2 value; none = the default rules */
    int n_filters;
};

struct kd_template {
    enum kd_template_kind kind;
    char **argv;       /* command, job: owned; template texts, NULL-terminated */
    char *working_dir; /* owned, template text; NULL = the spec's folder */
    struct kd_env_pair *env;
    int n_env;
    enum kd_env_policy env_policy;
    char *image;       /* job: the container's image, to be mapped; owned */
    char *params_file; /* paramsFrom: file; NULL = no; the parameters then need no placeholder */
    json_t *trainer;   /* trainer: the block with its placeholders as strings; owned */
    json_t *job;       /* job: what ${trialSpec.X} names: {"Kind": ..., "Labels": {...}}; owned */
    struct kd_checkpoint_policy checkpoint;
    struct kd_metrics_collector collector;
    /* Katib's trialParameters: placeholder name -> parameter name; in our own form both are the parameter's. */
    struct kd_trial_parameter {
        char *name, *reference; /* owned */
    } * trial_parameters;
    int n_trial_parameters;
};

struct kd_experiment {
    char *name;     /* owned */
    char *file;     /* where it was read from, for messages; owned */
    char *base_dir; /* absolute; relative paths start here; owned */
    char *
        text; /* the spec as the user wrote it; with overrides the whole tree after them, as JSON; owned */
    char *
        canonical; /* the canonical tree as JSON after overrides, without limits, goal and counts; owned */
    char digest[65]; /* hex SHA-256 of canonical */
    bool is_katib;   /* apiVersion kubeflow.org/v1beta1 */
    uint64_t seed;   /* 63 bits; default 0 */

    struct kd_objective objective;
    char *algorithm; /* owned; a registered name */
    const struct kd_strategy *strategy;
    struct kd_settings strategy_settings;
    const struct kd_stopper *stopper; /* NULL = none */
    struct kd_settings stopper_settings;

    struct kd_space space;

    int parallel_trials; /* 0 = auto */
    int max_trials;      /* -1 = unbounded */
    int max_failed;      /* -1 = never */

    struct kd_resources resources;
    struct kd_limits limits;
    enum kd_fidelity_unit fidelity_unit;
    double fidelity_max; /* 0 = not given */
    struct kd_template template;
};

void kd_experiment_release(struct kd_experiment *experiment);

/* What its search is asked to solve; borrows the space. */
struct kd_task kd_experiment_task(const struct kd_experiment *experiment);

/* Its strategy and its stopper at work, and an empty history for them. NULL and err when they do not fit, which the
 * reader of the spec has ruled out. */
struct kd_sampler *kd_experiment_sampler(const struct kd_experiment *experiment,
                                         struct kd_error *err);
struct kd_scheduler *kd_experiment_scheduler(const struct kd_experiment *experiment,
                                             struct kd_error *err);
void kd_experiment_history(const struct kd_experiment *experiment, struct kd_history *history);

#endif
