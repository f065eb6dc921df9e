/* list_command.c - `katydid list`: the experiments of a database. */
#include "coordinator/commands/options.h"
#include "coordinator/commands/view.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_list = {"list", "", "The experiments in the database", run};

static void add_row(struct kd_table *table, const struct kd_experiment_info *e)
{
    int done = 0;
    for (int state = 0; state < KD_N_TRIAL_STATES; state++)
        if (kd_trial_is_terminal((enum kd_trial_state)state))
            done += e->counts[state];
    kd_table_text(table, e->name);
    kd_table_text(table, e->state);
    kd_table_text(table, e->reason);
    kd_table_int(table, done);
    kd_table_int(table, e->n_trials);
    if (e->best >= 0) {
        kd_table_number(table, e->best_objective);
        kd_table_int(table, e->best);
    } else {
        kd_table_none(table);
        kd_table_none(table);
    }
    kd_table_time(table, e->created_at);
}

static int print(struct kd_view *view, enum kd_format format)
{
    static const char *const columns[] = {"experiment", "state", "reason",    "done",
                                          "trials",     "best",  "bestTrial", "created"};
    struct kd_error err = {0};
    struct kd_experiment_info *all = NULL;
    struct kd_table table = {0};
    int n = 0, code = KD_EXIT_OK;
    if (kd_query_experiments(view->store, &all, &n, &err) != 0) {
        code = kd_command_fail(&err);
    } else {
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
            kd_table_column(&table, columns[i]);
        for (int i = 0; i < n; i++)
            add_row(&table, &all[i]);
        kd_table_print(&table, format, stdout);
    }
    kd_table_release(&table);
    kd_experiment_infos_free(all, n);
    return code;
}

static int run(int argc, char **argv)
{
    struct kd_usage usage = {.command = &kd_command_list,
                             .common = KD_OPTION_DB | KD_OPTION_JSON | KD_OPTION_CSV};
    struct kd_view view;
    kd_usage_read(&usage, argc, argv);
    int code = kd_view_open_file(&view, usage.db);
    if (code != KD_EXIT_OK)
        return code;
    code = print(&view, usage.format);
    kd_view_close(&view);
    return code;
}
