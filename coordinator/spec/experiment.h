/* experiment.h - what the user asked for: the parsed spec, immutable once submitted (limits, goal
 * and counts aside).
 *
 * Made by spec_read.h from YAML and overrides; Katib's v1beta1 Experiment and our katydid/v1 give
 * the same struct. Fields are Katib's in meaning and default; ours are marked. */
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

/* ours; an objective after the first: of several none has a goal. Its metric stands among the first
 * one's `additional`, so that whoever listens to a trial hears it without knowing of this. */
struct kd_more_objective {
    bool maximize;
    char *metric; /* owned */
    enum kd_metric_pick pick;
};

/* ours; a metric that must stay at or below its bound, or at or above it. Listed among `additional`
 * too. */
struct kd_constraint {
    char *metric; /* owned */
    bool is_max;
    double bound;
};

/* ours; trials of an earlier experiment in the same database teach this one. */
struct kd_warm_start {
    char *experiment; /* owned; NULL = none */
    int trials;       /* at most so many, its last ones; 0 = all */
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
    /* Katib's trialParameters: placeholder name -> parameter name; in our own form both are the
     * parameter's. */
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

    struct kd_objective objective; /* the first one */
    struct kd_more_objective *more_objectives;
    int n_more_objectives;
    struct kd_constraint *constraints;
    int n_constraints;

    char *
        algorithm; /* owned; a name of a strategy, of a pair (strategy and stopper), or "external" */
    const struct kd_strategy *strategy; /* external: one that is never asked, random */
    bool is_external;                   /* points come from a process on the bus */
    double external_deadline_s;         /* how long a point may take */
    struct kd_settings strategy_settings;
    const struct kd_stopper *stopper; /* NULL = none */
    struct kd_settings stopper_settings;

    struct kd_space space;
    double *enqueued; /* n_enqueued points that are tried first; NaN = to be drawn, or inactive */
    int n_enqueued;
    struct kd_warm_start warm_start;

    int parallel_trials; /* 0 = auto */
    int max_trials;      /* -1 = unbounded */
    int max_failed;      /* -1 = never */

    struct kd_resources resources;
    struct kd_limits limits;
    enum kd_fidelity_unit fidelity_unit;
    double fidelity_max; /* 0 = not given */
    struct kd_template template;
};

/* The settings of the algorithm "external": deadline, in seconds. */
extern const struct kd_setting kd_external_settings[];

void kd_experiment_release(struct kd_experiment *experiment);

/* What its search is asked to solve; borrows the space. */
struct kd_task kd_experiment_task(const struct kd_experiment *experiment);

/* The i-th of its n_objectives: the metric's name, borrowed, and the direction. */
int kd_experiment_n_objectives(const struct kd_experiment *experiment);
const char *kd_experiment_metric(const struct kd_experiment *experiment, int i);
bool kd_experiment_maximizes(const struct kd_experiment *experiment, int i);
/* Of the i-th objective: search/ minimises, everything a user sees is in the user's direction. The
 * same both ways. */
double kd_experiment_flip(const struct kd_experiment *experiment, int i, double value);
enum kd_metric_pick kd_experiment_pick(const struct kd_experiment *experiment, int i);

/* What was measured as the search wants it: feasible when <= 0. */
double kd_constraint_excess(const struct kd_constraint *constraint, double measured);

/* Its strategy (the enqueued points given to it) and its stopper at work, and an empty history for
 * them. NULL and err when they do not fit, which the reader of the spec has ruled out. */
struct kd_sampler *kd_experiment_sampler(const struct kd_experiment *experiment,
                                         struct kd_error *err);
struct kd_scheduler *kd_experiment_scheduler(const struct kd_experiment *experiment,
                                             struct kd_error *err);
/* The parameter that tells a trial how far to train, by the stopper's setting resource_name
 * (Katib's hyperband); -1: none. */
int kd_experiment_resource(const struct kd_experiment *experiment);
void kd_experiment_history(const struct kd_experiment *experiment, struct kd_history *history);

#endif
