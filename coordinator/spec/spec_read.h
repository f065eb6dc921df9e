/* spec_read.h - from a YAML file and overrides to a checked experiment.
 *
 * Strict on the Experiment's own fields; every problem of a file is reported in one go, each with
 * file:line:col, the source line, a caret and a way out. Nothing is ever ignored: what is not built
 * yet is refused by name. */
#ifndef KD_SPEC_READ_H
#define KD_SPEC_READ_H

#include "coordinator/spec/experiment.h"

struct kd_spec_options {
    const char *const *
        overrides; /* NULL-terminated "key=value" (Hydra's grammar, rooted at `spec`); may be NULL */
    const char *trainer_program; /* path of katydid-trainer for --check; NULL = skip that check */
    const char *name;            /* --name: replaces metadata.name; may be NULL */
    const struct kd_image_map *images;
    bool is_for_suggest; /* no trial is run here: the template may be left out, trials may pause */
};

/* --image-map IMAGE=host or IMAGE=DIR (a root for the container's absolute paths). */
struct kd_image_map {
    struct kd_image_entry {
        const char *image, *target;
    } * entries;
    int n;
};

struct kd_problem {
    bool is_warning;
    char *
        text; /* whole message, several lines: "sweep.yaml:12:9: error: ...\n  source line\n  ^" ; owned */
};
struct kd_problems {
    struct kd_problem *items; /* in order of position */
    int n, n_errors;
};
void kd_problems_release(struct kd_problems *problems);

/* 0: experiment is filled (problems may hold warnings). -1: problems says why; experiment is
 * empty. */
int kd_spec_read_file(const char *path, const struct kd_spec_options *options,
                      struct kd_experiment *experiment, struct kd_problems *problems);
int kd_spec_read_text(const char *text, size_t length, const char *file_name, const char *base_dir,
                      const struct kd_spec_options *options, struct kd_experiment *experiment,
                      struct kd_problems *problems);

/* `katydid run --maximize val_acc 'lr=tag(log,interval(1e-5,1e-1))' -- python train.py '${args}'`
 * as a spec in YAML text (owned by the caller), which is then read like any other. */
struct kd_shorthand {
    const char *name; /* NULL: from the program's name */
    const char *metric;
    bool maximize;
    const char *const *
        sweeps; /* NULL-terminated: "lr=interval(1e-5,1e-1)", "opt=choice(sgd,adamw)", "n=range(1,9)",
                                   "lr=tag(log,interval(1e-5,1e-1))", "n=int(interval(1,8))", "p=0.1,0.2,0.5" */
    const char *const *argv;         /* NULL-terminated */
    int max_trials, parallel_trials; /* 0 = default */
    const char *algorithm;           /* NULL = default */
};
char *kd_shorthand_to_yaml(const struct kd_shorthand *shorthand, struct kd_error *err);

/* What differs between two canonical trees, one line per difference ("parameters.lr.max: 0.1 ->
 * 0.3"); owned. */
char *kd_spec_difference(const char *old_canonical, const char *new_canonical);

#endif
