/* show_command.c - `katydid show`: where an experiment stands. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/leader.h"
#include "coordinator/commands/options.h"
#include "coordinator/commands/safe_text.h"
#include "coordinator/commands/status_json.h"
#include "coordinator/commands/trials_table.h"
#include "coordinator/commands/view.h"
#include "coordinator/store/lock.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_show = {"show", "[NAME]",
                                           "Where an experiment stands, as Katib's status", run};

static void line(const char *title, const char *text)
{
    struct kd_str safe = {0};
    const char *shown = text == NULL ? "-" : text;
    kd_safe_add(&safe, shown, strlen(shown), false);
    printf("%-12s%s\n", title, kd_str_text(&safe));
    kd_str_release(&safe);
}

static void print_counts(const struct kd_experiment_info *e)
{
    struct kd_str text = {0};
    kd_str_addf(&text, "%d", e->n_trials);
    const char *before = ": ";
    for (int state = 0; state < KD_N_TRIAL_STATES; state++)
        if (e->counts[state] > 0) {
            kd_str_addf(&text, "%s%d %s", before, e->counts[state],
                        kd_trial_state_name((enum kd_trial_state)state));
            before = ", ";
        }
    line("Trials", text.text);
    kd_str_release(&text);
}

/* An experiment that was interrupted or killed is still Running in the file; whether somebody runs
 * it says the lock. */
static void print_owner(const char *database)
{
    char owner[512];
    if (kd_lock_owner(database, owner, sizeof owner))
        line("Run by", owner);
    else
        line("Run by", "nobody; the same `katydid run` goes on");
}

static void print_head(const struct kd_experiment_info *e, const char *database)
{
    char time[32];
    struct kd_str text = {0};
    line("Experiment", e->name);
    kd_str_addf(&text, "%s%s%s%s", e->state, e->reason ? " (" : "", e->reason ? e->reason : "",
                e->reason ? ")" : "");
    line("State", text.text);
    if (e->finished_at <= 0)
        print_owner(database);
    line("Spec", e->file);
    kd_str_clear(&text);
    for (int i = 0; i < e->n_objectives; i++) {
        const struct kd_objective_info *objective = &e->objectives[i];
        kd_str_addf(&text, "%s%s %s", i ? ", " : "", objective->maximize ? "maximize" : "minimize",
                    objective->metric ? objective->metric : "the objective");
    }
    line(e->n_objectives > 1 ? "Objectives" : "Objective", text.text);
    kd_str_clear(&text);
    for (int i = 0; i < e->n_constraints; i++)
        kd_str_addf(&text, "%s%s", i ? ", " : "", e->constraints[i]);
    if (e->n_constraints > 0)
        line("Constraints", text.text);
    line("Started", kd_time_text(e->created_at, time));
    line("Finished", kd_time_text(e->finished_at, time));
    print_counts(e);
    kd_str_release(&text);
}

static void print_best(const struct kd_trial_info *trial, const struct kd_observed_metric *metrics,
                       int n_metrics)
{
    struct kd_table params = {0}, observed = {0};
    printf("Best trial  %d\n\n", trial->number);
    kd_table_column(&params, "parameter");
    kd_table_column(&params, "value");
    for (int i = 0; i < trial->n_params; i++) {
        kd_table_text(&params, trial->params[i].name);
        kd_table_text(&params, trial->params[i].text);
    }
    kd_table_column(&observed, "metric");
    kd_table_column(&observed, "min");
    kd_table_column(&observed, "max");
    kd_table_column(&observed, "latest");
    kd_table_column(&observed, "step");
    for (int i = 0; i < n_metrics; i++) {
        kd_table_text(&observed, metrics[i].name);
        kd_table_number(&observed, metrics[i].min);
        kd_table_number(&observed, metrics[i].max);
        kd_table_number(&observed, metrics[i].latest);
        kd_table_int(&observed, metrics[i].step);
    }
    kd_table_print(&params, KD_FORMAT_AS_TABLE, stdout);
    putchar('\n');
    kd_table_print(&observed, KD_FORMAT_AS_TABLE, stdout);
    kd_table_release(&params);
    kd_table_release(&observed);
}

/* The GPUs of the best trial, one line for each of each attempt. */
static void print_gpus(const struct kd_status *status)
{
    static const char *const columns[] = {"attempt", "gpu",         "uuid",   "gpu_percent",
                                          "gpu_gib", "gpu_celsius", "joules", "seconds"};
    struct kd_table table = {0};
    for (size_t i = 0; i < KD_COUNT(columns); i++)
        kd_table_column(&table, columns[i]);
    for (int i = 0; i < status->n_gpus; i++) {
        const struct kd_attempt_gpu_info *gpu = &status->gpus[i];
        if (status->best == NULL || gpu->number != status->best->number)
            continue;
        kd_table_int(&table, gpu->attempt);
        kd_table_int(&table, gpu->gpu);
        kd_table_text(&table, gpu->uuid);
        kd_gpu_cells(&table, &gpu->used);
        if (gpu->used.seconds > 0)
            kd_table_number(&table, round(gpu->used.seconds * 1000) / 1000);
        else
            kd_table_none(&table);
    }
    if (kd_table_rows(&table) > 0)
        putchar('\n');
    if (kd_table_rows(&table) > 0)
        kd_table_print(&table, KD_FORMAT_AS_TABLE, stdout);
    kd_table_release(&table);
}

static void print_energy(const struct kd_status *status)
{
    char text[64];
    double joules = kd_status_joules(status);
    if (isnan(joules))
        return;
    snprintf(text, sizeof text, "%.4g kJ (%.3g Wh) on GPUs, in all attempts", joules / 1000,
             joules / 3600);
    line("Energy", text);
}

static void print_failures(const struct kd_status *status)
{
    char time[32];
    for (int i = 0; i < status->n_failures; i++) {
        const struct kd_gpu_failure *failure = &status->failures[i];
        char *text = kd_format("%s, at %s", failure->text, kd_time_text(failure->at, time));
        line(failure->is_of_use ? "GPU error" : "GPU failed", text);
        free(text);
    }
}

static void print_front(const struct kd_status *status)
{
    char *text = kd_front_text(status->experiment, status->front);
    struct kd_str numbers = {0};
    line("Front", text);
    for (int i = 0; i < status->front->n; i++)
        kd_str_addf(&numbers, "%s%d", i ? ", " : "",
                    status->trials[status->front->trials[i]].number);
    if (status->front->n > 0)
        line("  trials", numbers.text);
    kd_str_release(&numbers);
    free(text);
}

/* leader: ahead so far; NULL = none */
static void print_no_best(const struct kd_experiment_info *experiment,
                          const struct kd_trial_info *leader)
{
    char *why = kd_leader_none_text(experiment), *ahead = NULL, number[KD_NUMBER_MAX];
    if (leader)
        ahead = kd_format("trial %d (%s) so far: %s = %s", leader->number,
                          kd_trial_state_name(leader->state), experiment->metric,
                          kd_number_text(leader->objective, number));
    line("Best trial", ahead ? ahead : why);
    free(ahead);
    free(why);
}

static void print_people(const struct kd_status *status, const struct kd_trial_info *leader,
                         const char *database)
{
    print_head(status->experiment, database);
    print_energy(status);
    print_failures(status);
    if (status->front != NULL)
        print_front(status);
    else if (status->best != NULL)
        print_best(status->best, status->metrics, status->n_metrics);
    else
        print_no_best(status->experiment, leader);
    if (status->front == NULL)
        print_gpus(status);
}

/* What is shown, and what of it is owned. */
struct reading {
    struct kd_status status;
    struct kd_trial_info *trials;
    struct kd_observed_metric *metrics;
    struct kd_attempt_gpu_info *gpus;
    struct kd_gpu_failure *failures;
    struct kd_front front;
};

static int read_status(struct kd_view *view, struct reading *read, struct kd_error *err)
{
    struct kd_status *status = &read->status;
    int best = view->experiment.best;
    status->experiment = &view->experiment;
    if (kd_query_trials(view->store, view->experiment.id, -1, &read->trials, &status->n_trials,
                        err) != 0 ||
        kd_query_gpus(view->store, view->experiment.id, -1, &read->gpus, &status->n_gpus, err) !=
            0 ||
        kd_query_gpu_failures(view->store, view->experiment.id, &read->failures,
                              &status->n_failures, err) != 0)
        return -1;
    status->trials = read->trials;
    status->gpus = read->gpus;
    status->failures = read->failures;
    for (int i = 0; i < status->n_trials; i++)
        if (read->trials[i].number == best)
            status->best = &read->trials[i];
    if (status->best != NULL && kd_query_observation(view->store, view->experiment.id, best,
                                                     &read->metrics, &status->n_metrics, err) != 0)
        return -1;
    status->metrics = read->metrics;
    if (view->experiment.n_objectives > 1) {
        kd_front_find(&view->experiment, read->trials, status->n_trials, &read->front);
        status->front = &read->front;
    }
    return 0;
}

static void release_read(struct reading *read)
{
    kd_front_release(&read->front);
    kd_observed_metrics_free(read->metrics, read->status.n_metrics);
    kd_gpu_failures_free(read->failures, read->status.n_failures);
    kd_attempt_gpu_infos_free(read->gpus, read->status.n_gpus);
    kd_trial_infos_free(read->trials, read->status.n_trials);
}

static int print(struct kd_view *view, enum kd_format format)
{
    struct kd_error err = {0};
    struct reading read = {0};
    int leader = -1, result = read_status(view, &read, &err);
    if (result == 0 && view->experiment.best < 0 && format != KD_FORMAT_AS_JSON)
        leader =
            kd_leader_find(view->store, &view->experiment, read.trials, read.status.n_trials, &err);
    if (result == 0 && leader != -2 && format == KD_FORMAT_AS_JSON)
        kd_status_print_json(&read.status, stdout);
    else if (result == 0 && leader != -2)
        print_people(&read.status, leader < 0 ? NULL : &read.trials[leader],
                     kd_store_path(view->store));
    release_read(&read);
    return result == 0 && leader != -2 ? KD_EXIT_OK : kd_command_fail(&err);
}

static int run(int argc, char **argv)
{
    struct kd_usage usage = {
        .command = &kd_command_show, .common = KD_OPTION_DB | KD_OPTION_JSON, .max_words = 1};
    struct kd_view view;
    kd_usage_read(&usage, argc, argv);
    int code = kd_view_open(&view, usage.db, usage.words[0]);
    if (code != KD_EXIT_OK)
        return code;
    code = print(&view, usage.format);
    kd_view_close(&view);
    return code;
}
