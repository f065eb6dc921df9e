#include "coordinator/commands/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/command.h"

int kd_command_fail(const struct kd_error *err)
{
    kd_log(KD_LOG_INFO, "%s", err->text);
    return KD_EXIT_ERROR;
}

int kd_view_open_file(struct kd_view *view, const char *db)
{
    struct kd_error err = {0};
    const char *path = kd_database_path(db);
    *view = (struct kd_view){.store = kd_store_open_readonly(path, &err)};
    if (view->store == NULL) {
        kd_command_fail(&err);
        return access(path, F_OK) == 0 ? KD_EXIT_ERROR : KD_EXIT_NOT_FOUND;
    }
    if (kd_query_begin(view->store, &err) == 0)
        return KD_EXIT_OK;
    kd_view_close(view);
    return kd_command_fail(&err);
}

static void explain_missing(const struct kd_view *view, const char *name)
{
    struct kd_experiment_info *all = NULL;
    int n = 0;
    if (kd_query_experiments(view->store, &all, &n, NULL) != 0)
        n = 0;
    const char **names = KD_NEW_ARRAY(const char *, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        names[i] = all[i].name;
    const char *near = name == NULL ? NULL : kd_nearest_name(name, names);
    const char *path = kd_store_path(view->store);
    if (n == 0)
        kd_info("%s holds no experiment yet", path);
    else if (near != NULL)
        kd_info("there is no experiment `%s` in %s. Did you mean `%s`?", name, path, near);
    else
        kd_info("there is no experiment `%s` in %s; `katydid list` shows what there is", name,
                path);
    free(names);
    kd_experiment_infos_free(all, n);
}

int kd_view_open(struct kd_view *view, const char *db, const char *name)
{
    struct kd_error err = {0};
    int code = kd_view_open_file(view, db);
    if (code != KD_EXIT_OK)
        return code;
    int found = kd_query_experiment(view->store, name, &view->experiment, &err);
    if (found == 1)
        return KD_EXIT_OK;
    code = KD_EXIT_NOT_FOUND;
    if (found < 0)
        code = kd_command_fail(&err);
    else
        explain_missing(view, name);
    kd_view_close(view);
    return code;
}

void kd_view_close(struct kd_view *view)
{
    if (view->store == NULL)
        return;
    kd_experiment_info_release(&view->experiment);
    kd_query_end(view->store);
    kd_store_close(view->store);
    view->store = NULL;
}

enum kd_style kd_state_style(enum kd_trial_state state)
{
    static const enum kd_style styles[KD_N_TRIAL_STATES] = {
        [KD_TRIAL_PENDING] = KD_STYLE_DIM,        [KD_TRIAL_PAUSED] = KD_STYLE_DIM,
        [KD_TRIAL_SUCCEEDED] = KD_STYLE_GOOD,     [KD_TRIAL_FAILED] = KD_STYLE_BAD,
        [KD_TRIAL_KILLED] = KD_STYLE_WARN,        [KD_TRIAL_METRICS_UNAVAILABLE] = KD_STYLE_BAD,
        [KD_TRIAL_EARLY_STOPPED] = KD_STYLE_WARN,
    };
    return styles[state];
}

char *kd_trial_name(const char *experiment, int number)
{
    return kd_format("%s-%d", experiment, number);
}
