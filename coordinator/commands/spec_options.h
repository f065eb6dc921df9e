/* spec_options.h - the command-line options that say which experiment is meant, shared by run, try
 * and validate: SPEC [key=value...], or --maximize METRIC 'lr=...' -- PROGRAM ARG... */
#ifndef KD_COMMANDS_SPEC_OPTIONS_H
#define KD_COMMANDS_SPEC_OPTIONS_H

#include <argp.h>

#include "coordinator/base/arr.h"
#include "coordinator/spec/spec_read.h"

struct kd_spec_arguments {
    const char *database, *name, *metric, *algorithm;
    bool maximize;
    int max_trials, parallel;
    bool print_spec, print_endpoint, json, quiet, require_goal;
    bool is_for_suggest;                  /* as in kd_spec_options */
    KD_ARR(const char *) words;           /* SPEC and overrides, or sweeps */
    KD_ARR(struct kd_image_entry) images; /* texts owned; folders absolute */
    char *const *program;                 /* after --; NULL = none */
};

/* argp's options and parser; `program` is set beforehand by kd_spec_arguments_split. */
extern const struct argp kd_spec_argp;

/* Cuts argv at "--": returns the new argc. */
int kd_spec_arguments_split(struct kd_spec_arguments *arguments, int argc, char **argv);
void kd_spec_arguments_release(struct kd_spec_arguments *arguments);

/* Reads the experiment and prints on stderr what is wrong with it. 0, an exit code, or -1: done
 * (--print-spec). */
int kd_spec_arguments_read(const struct kd_spec_arguments *arguments,
                           struct kd_experiment *experiment);

struct kd_image_map kd_spec_arguments_images(const struct kd_spec_arguments *arguments);

#endif
