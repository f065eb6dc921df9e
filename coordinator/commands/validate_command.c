/* validate_command.c - katydid validate: is this a spec that can run? */
#include <stdio.h>

#include "coordinator/commands/command.h"
#include "coordinator/commands/spec_options.h"
#include "coordinator/study.h"

static void print_summary(const struct kd_experiment *experiment)
{
    const char *kinds[] = {"a command", "the built-in trainer", "a Kubernetes Job, run here"};
    printf("%s: valid\n", experiment->file);
    for (int i = 0; i < kd_experiment_n_objectives(experiment); i++)
        printf("%s%s %s", i ? ", " : "  ",
               kd_experiment_maximizes(experiment, i) ? "maximizes" : "minimizes",
               kd_experiment_metric(experiment, i));
    printf(" by %s over %d parameters, each trial %s on %d rank%s\n", experiment->algorithm,
           experiment->space.n_params, kinds[experiment->template.kind],
           kd_experiment_ranks(experiment), kd_experiment_ranks(experiment) == 1 ? "" : "s");
}

static int run(int argc, char **argv)
{
    struct kd_spec_arguments arguments = {0};
    struct argp argp = kd_spec_argp;
    argp.args_doc = "SPEC [key=value...]";
    argp.doc = "Checks a spec and runs nothing. Every problem is shown, with its place.";
    argc = kd_spec_arguments_split(&arguments, argc, argv);
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
        return KD_EXIT_USAGE;
    struct kd_experiment experiment = {0};
    int code = kd_spec_arguments_read(&arguments, &experiment);
    if (code == KD_EXIT_OK && arguments.json)
        puts(experiment.canonical);
    else if (code == KD_EXIT_OK)
        print_summary(&experiment);
    if (code == KD_EXIT_OK)
        kd_experiment_release(&experiment);
    kd_spec_arguments_release(&arguments);
    return code < 0 ? KD_EXIT_OK : code;
}

const struct kd_command kd_command_validate = {
    .name = "validate",
    .arguments = "SPEC [key=value...]",
    .summary = "Check a spec; every problem in one go",
    .run = run,
};
