/* trials_command.c - `katydid trials`: the trials of an experiment, one a line. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/log.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/options.h"
#include "coordinator/commands/trials_table.h"
#include "coordinator/commands/view.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_trials = {
    "trials", "[NAME]", "The trials of an experiment with their parameters", run};

static void fill(struct kd_table *table, const struct kd_experiment_info *experiment,
                 const struct kd_trial_info *trials, int n, int state)
{
    kd_trials_table(table, experiment, trials, n);
    for (int i = 0; i < n; i++)
        if (state < 0 || (int)trials[i].state == state)
            kd_trials_table_row(table, experiment, &trials[i]);
}

/* -COLUMN sorts descending; the objective, which `objective` names too, has its best first. */
static int sort(struct kd_table *table, const char *by, bool maximize)
{
    bool reverse = *by == '-';
    const char *name = by + reverse;
    int column =
        strcmp(name, "objective") == 0 ? KD_TRIALS_OBJECTIVE : kd_table_find_column(table, name);
    if (column < 0) {
        struct kd_str names = {0};
        for (int i = 0; i < table->n_columns; i++)
            kd_str_addf(&names, "%s%s", i ? ", " : "", table->columns[i]);
        kd_info("there is no column `%s` to sort by; there are %s", name, kd_str_text(&names));
        kd_str_release(&names);
        return KD_EXIT_USAGE;
    }
    kd_table_sort(table, column, (column == KD_TRIALS_OBJECTIVE && maximize) != reverse);
    return KD_EXIT_OK;
}

static int find_state(const char *name, int *state)
{
    *state = name == NULL ? -1 : kd_trial_state_find(name);
    if (name == NULL || *state >= 0)
        return KD_EXIT_OK;
    struct kd_str names = {0};
    for (int i = 0; i < KD_N_TRIAL_STATES; i++)
        kd_str_addf(&names, "%s%s", i ? ", " : "", kd_trial_state_name((enum kd_trial_state)i));
    kd_info("a trial is never `%s`; its states are %s", name, kd_str_text(&names));
    kd_str_release(&names);
    return KD_EXIT_USAGE;
}

struct wanted {
    const char *sort, *state_name, *top_text;
    int top, state;
};

static int print(struct kd_view *view, const struct wanted *wanted, enum kd_format format)
{
    struct kd_error err = {0};
    struct kd_table table = {0};
    struct kd_trial_info *trials = NULL;
    int n = 0, code = KD_EXIT_OK;
    if (kd_query_trials(view->store, view->experiment.id, -1, &trials, &n, &err) != 0)
        code = kd_command_fail(&err);
    if (code == KD_EXIT_OK)
        fill(&table, &view->experiment, trials, n, wanted->state);
    if (code == KD_EXIT_OK && wanted->sort != NULL)
        code = sort(&table, wanted->sort, view->experiment.maximize);
    if (code == KD_EXIT_OK && wanted->top > 0)
        kd_table_limit(&table, wanted->top);
    if (code == KD_EXIT_OK)
        kd_table_print(&table, format, stdout);
    kd_table_release(&table);
    kd_trial_infos_free(trials, n);
    return code;
}

static int run(int argc, char **argv)
{
    struct wanted wanted = {0};
    const struct kd_option options[] = {
        {"sort", 's', "COLUMN",
         "Sort by a column, or by `objective` with the best first; -COLUMN "
         "turns the order round",
         &wanted.sort},
        {"top", 'n', "N", "Only the first N", &wanted.top_text},
        {"state", 'S', "STATE", "Only trials in this state (Succeeded, Failed, ...)",
         &wanted.state_name},
        {0},
    };
    struct kd_usage usage = {.command = &kd_command_trials,
                             .options = options,
                             .common = KD_OPTION_DB | KD_OPTION_JSON | KD_OPTION_CSV,
                             .max_words = 1};
    struct kd_view view;
    kd_usage_read(&usage, argc, argv);
    wanted.top = kd_option_int("--top", wanted.top_text, 1, 0);
    if (wanted.top < 0 || find_state(wanted.state_name, &wanted.state) != KD_EXIT_OK)
        return KD_EXIT_USAGE;
    int code = kd_view_open(&view, usage.db, usage.words[0]);
    if (code != KD_EXIT_OK)
        return code;
    code = print(&view, &wanted, usage.format);
    kd_view_close(&view);
    return code;
}
