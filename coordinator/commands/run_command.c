/* run_command.c - katydid run: an embedded coordinator, from the first trial to the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/json.h"
#include "coordinator/base/log.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/front.h"
#include "coordinator/commands/leader.h"
#include "coordinator/commands/spec_options.h"
#include "coordinator/loop.h"
#include "coordinator/progress.h"
#include "coordinator/store/query.h"

/* What the store says of an experiment: the best trial, or with several objectives the front. */
struct outcome {
    struct kd_experiment_info info;
    struct kd_trial_info *trials;
    int n;
    const struct kd_trial_info *best;   /* NULL = none */
    const struct kd_trial_info *leader; /* where there is no best: ahead so far; NULL = none */
    struct kd_front front;
};

static void print_json(const struct outcome *outcome)
{
    const struct kd_experiment_info *info = &outcome->info;
    const struct kd_trial_info *best = outcome->best;
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    kd_json_add_int(&j, "schema", 1);
    kd_json_add_string(&j, "experiment", info->name);
    kd_json_add_string(&j, "state", info->state);
    kd_json_add_string(&j, "reason", info->reason);
    kd_json_add_int(&j, "trials", info->n_trials);
    if (info->n_objectives > 1)
        kd_front_write(&j, info, outcome->trials, &outcome->front);
    if (best != NULL) {
        kd_json_key(&j, "best");
        kd_json_open(&j, '{');
        kd_json_add_int(&j, "trial", best->number);
        kd_json_add_string(&j, "metric", info->metric);
        kd_json_add_number(&j, "objective", best->objective);
        kd_json_key(&j, "parameters");
        kd_json_open(&j, '{');
        kd_front_write_params(&j, best);
        kd_json_close(&j, '}');
        kd_json_close(&j, '}');
    }
    kd_json_close(&j, '}');
    puts(text.text);
    kd_str_release(&text);
}

static void print_counts(const struct kd_experiment_info *info)
{
    const char *separator = ": ";
    printf("%d trial%s", info->n_trials, info->n_trials == 1 ? "" : "s");
    for (int state = 0; state < KD_N_TRIAL_STATES; state++)
        if (info->counts[state] > 0) {
            printf("%s%d %s", separator, info->counts[state],
                   kd_trial_state_name((enum kd_trial_state)state));
            separator = ", ";
        }
    puts("");
}

static void print_text(const struct outcome *outcome)
{
    const struct kd_experiment_info *info = &outcome->info;
    const struct kd_trial_info *best = outcome->best ? outcome->best : outcome->leader;
    printf("%s: %s (%s)\n", info->name, info->state, info->reason);
    print_counts(info);
    if (info->n_objectives > 1) {
        char *front = kd_front_text(info, &outcome->front);
        printf("front: %s%s\n", front, outcome->front.n > 0 ? " (katydid best shows them)" : "");
        free(front);
        return;
    }
    if (best == NULL) {
        char *why = kd_leader_none_text(info);
        printf("best: none (%s)\n", why);
        free(why);
        return;
    }
    printf("best%s: trial %d, %s = %.6g\n", best == outcome->leader ? " so far" : "", best->number,
           info->metric ? info->metric : "objective", best->objective);
    for (int i = 0; i < best->n_params; i++)
        printf("  %s = %s\n", best->params[i].name, best->params[i].text);
}

static void release_outcome(struct outcome *outcome)
{
    kd_front_release(&outcome->front);
    kd_trial_infos_free(outcome->trials, outcome->n);
    kd_experiment_info_release(&outcome->info);
}

/* 1 found, 0 not, -1. */
static int read_outcome(struct kd_store *store, const char *name, struct outcome *outcome)
{
    struct kd_error err;
    int found = kd_query_experiment(store, name, &outcome->info, &err);
    bool is_front = outcome->info.n_objectives > 1;
    bool has_best = !is_front && outcome->info.best >= 0;
    if (found != 1)
        return found;
    if (kd_query_trials(store, outcome->info.id, has_best ? outcome->info.best : -1,
                        &outcome->trials, &outcome->n, &err) != 0)
        return -1;
    int leader =
        has_best ? -1 : kd_leader_find(store, &outcome->info, outcome->trials, outcome->n, &err);
    outcome->leader = leader >= 0 ? &outcome->trials[leader] : NULL;
    if (is_front)
        kd_front_find(&outcome->info, outcome->trials, outcome->n, &outcome->front);
    else if (has_best && outcome->n > 0)
        outcome->best = &outcome->trials[0];
    return 1;
}

/* What the store says, which is what everybody else will see too. */
static void print_result(const char *database, const char *name, bool json)
{
    struct kd_error err;
    struct kd_store *store = kd_store_open_readonly(database, &err);
    struct outcome outcome = {0};
    if (store != NULL && read_outcome(store, name, &outcome) == 1)
        (json ? print_json : print_text)(&outcome);
    release_outcome(&outcome);
    kd_store_close(store);
}

static void print_endpoint(const char *endpoint)
{
    puts(endpoint);
    fflush(stdout);
}

static int exit_code_of(enum kd_run_end end, const struct kd_run_result *result,
                        const struct kd_spec_arguments *arguments)
{
    if (end == KD_RUN_INTERRUPTED)
        return KD_EXIT_INTERRUPTED;
    if (end == KD_RUN_LOCKED || end == KD_RUN_OTHER_SPEC)
        return KD_EXIT_CONFLICT;
    if (end == KD_RUN_BAD_SPEC)
        return KD_EXIT_USAGE;
    if (end == KD_RUN_ERROR || result->end == KD_STUDY_BROKEN)
        return KD_EXIT_ERROR;
    bool all_failed = result->n_trials > 0 && result->n_failed == result->n_trials;
    if (result->end == KD_STUDY_TOO_MANY_FAILED || all_failed)
        return KD_EXIT_TOO_MANY_FAILED;
    return arguments->require_goal && !result->goal_met ? KD_EXIT_GOAL_MISSED : KD_EXIT_OK;
}

static int run_experiment(const struct kd_spec_arguments *arguments,
                          const struct kd_experiment *experiment)
{
    bool is_live = isatty(STDERR_FILENO) && !arguments->quiet;
    struct kd_progress *progress = kd_progress_new(is_live);
    struct kd_watcher watcher = kd_progress_watcher(progress);
    struct kd_image_map images = kd_spec_arguments_images(arguments);
    struct kd_run_options options = {
        .database = kd_database_path(arguments->database),
        .experiment = experiment,
        .images = &images,
        .watcher = arguments->quiet ? NULL : &watcher,
        .listening = arguments->print_endpoint ? print_endpoint : NULL,
    };
    struct kd_run_result result;
    struct kd_error err = {0};
    enum kd_run_end end = kd_run(&options, &result, &err);
    kd_progress_free(progress);
    if (end == KD_RUN_INTERRUPTED)
        kd_info("interrupted: the same command goes on where it stopped");
    else if (end != KD_RUN_ENDED)
        kd_log(KD_LOG_ERROR, "%s", err.text);
    if (end == KD_RUN_ENDED || end == KD_RUN_INTERRUPTED)
        print_result(options.database, experiment->name, arguments->json);
    return exit_code_of(end, &result, arguments);
}

static int run(int argc, char **argv)
{
    struct kd_spec_arguments arguments = {0};
    struct argp argp = kd_spec_argp;
    argp.args_doc = "SPEC [key=value...]\n--maximize METRIC 'lr=...'... -- PROGRAM ARG...";
    argp.doc = "Runs an experiment to its end; the same command again goes on with it.\v"
               "key=value overrides a field of the spec: maxTrialCount=10, "
               "parameters.lr.max=0.03.";
    argc = kd_spec_arguments_split(&arguments, argc, argv);
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
        return KD_EXIT_USAGE;
    struct kd_experiment experiment = {0};
    int code = kd_spec_arguments_read(&arguments, &experiment);
    if (code == KD_EXIT_OK) {
        code = run_experiment(&arguments, &experiment);
        kd_experiment_release(&experiment);
    }
    kd_spec_arguments_release(&arguments);
    return code < 0 ? KD_EXIT_OK : code;
}

const struct kd_command kd_command_run = {
    .name = "run",
    .arguments = "SPEC [key=value...]",
    .summary = "Run an experiment to its end, or go on with it",
    .run = run,
};
