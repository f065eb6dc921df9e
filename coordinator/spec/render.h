/* render.h - one trial's argv, environment and trainer block: the template with a point put in.
 *
 * Substitution acts on the parsed tree and is typed: values never pass through a shell, a scalar
 * that is only a placeholder becomes a number where a number is wanted. An argv element that names
 * an inactive parameter is dropped whole. */
#ifndef KD_SPEC_RENDER_H
#define KD_SPEC_RENDER_H

#include "coordinator/spec/experiment.h"

struct kd_render_context {
    int trial, attempt;
    uint64_t seed;
    const char *trial_dir;       /* absolute: <database>.d/NAME/NUMBER */
    const char *checkpoint_dir;  /* absolute */
    const char *report_endpoint; /* KATYDID_REPORT; may be NULL */
    double budget;               /* KATYDID_BUDGET: fidelity to train to; 0 = none */
    const struct kd_image_map *images;
    const char *const *
        caller_env; /* environ; filtered of LD_PRELOAD, OMPI_*, PMIX_*, PRTE_*, SLURM_* leftovers */
};

struct kd_image_map;

struct kd_rendered {
    char **argv;          /* NULL-terminated; owned */
    char **env;           /* NULL-terminated "NAME=value", sorted, complete; owned */
    char *working_dir;    /* absolute; owned */
    char *checkpoint_dir; /* absolute: the spec's checkpoint.dir, else the context's; owned */
    char *metrics_file; /* absolute: where a File collector's lines appear; NULL = output; owned */
    char *params_json;  /* contents of params.json: {"lr": 0.1, ...}; owned */
    json_t *trainer;    /* the filled trainer block; owned; NULL for a command */
};

int kd_render(const struct kd_experiment *experiment, const double *values,
              const struct kd_render_context *context, struct kd_rendered *out,
              struct kd_error *err);
/* Can it start here: is the working directory one, and is the program found in it or in the PATH of
 * its environment? To be asked before the first trial, so that a misspelt program is one clear
 * message and not forty failed trials. */
int kd_rendered_check(const struct kd_rendered *rendered, struct kd_error *err);
void kd_rendered_release(struct kd_rendered *rendered);

/* The point as JSON {"lr": 0.1, "opt": "sgd"}, inactive parameters left out; owned by the
 * caller. */
char *kd_point_json(const struct kd_space *space, const double *values);

#endif
