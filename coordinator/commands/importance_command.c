/* importance_command.c - `katydid importance`: which parameters made the good trials good
 * (search/importance.h). */
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/commands/options.h"
#include "coordinator/commands/stored.h"
#include "coordinator/commands/view.h"
#include "search/importance.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_importance = {"importance", "[NAME]",
                                                 "Which parameters made the good trials good", run};

static void print(const struct kd_space *space, const double *shares, enum kd_format format)
{
    struct kd_table table = {0};
    kd_table_column(&table, "parameter");
    kd_table_column(&table, "importance");
    for (int i = 0; i < space->n_params; i++) {
        kd_table_text(&table, space->params[i].name);
        kd_table_number(&table, shares[i]);
    }
    kd_table_sort(&table, 1, true);
    kd_table_print(&table, format, stdout);
    kd_table_release(&table);
}

static int explain_trials(struct kd_store *store, const struct kd_stored *stored,
                          enum kd_format format, struct kd_error *err)
{
    struct kd_history history;
    const struct kd_space *space = &stored->experiment.space;
    if (kd_stored_history(store, stored, &history, err) != 0)
        return -1;
    double *shares = KD_NEW_ARRAY(double, (size_t)space->n_params + 1);
    int result = kd_importance(&history, KD_IMPORTANCE_DEFAULTS, shares, err);
    if (result == 0)
        print(space, shares, format);
    free(shares);
    kd_history_release(&history);
    return result;
}

static int run(int argc, char **argv)
{
    struct kd_usage usage = {
        .command = &kd_command_importance,
        .common = KD_OPTION_DB | KD_OPTION_JSON | KD_OPTION_CSV,
        .max_words = 1,
        .doc = "By PED-ANOVA: how far the best tenth of the completed trials are from all of them, "
               "in each parameter by itself. The shares sum to 1."};
    struct kd_view view;
    struct kd_stored stored;
    struct kd_error err = {{0}};
    kd_usage_read(&usage, argc, argv);
    int code = kd_view_open(&view, usage.db, usage.words[0]);
    if (code != KD_EXIT_OK)
        return code;
    if (kd_stored_read(view.store, view.experiment.name, &stored, &err) != 0) {
        code = kd_command_fail(&err);
    } else {
        if (explain_trials(view.store, &stored, usage.format, &err) != 0) {
            kd_error_prefix(&err, "%s", view.experiment.name);
            code = kd_command_fail(&err);
        }
        kd_stored_release(&stored);
    }
    kd_view_close(&view);
    return code;
}
