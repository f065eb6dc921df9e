/* query_trials.c - the trials of an experiment with their parameters, objectives and
 * constraints. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/store/internal.h"
#include "coordinator/store/query.h"

static int int_or(sqlite3_stmt *s, int at, int fallback)
{
    return sqlite3_column_type(s, at) == SQLITE_NULL ? fallback : sqlite3_column_int(s, at);
}

static void fill_trial(struct kd_trial_info *t, sqlite3_stmt *s)
{
    int state = kd_trial_state_find((const char *)sqlite3_column_text(s, 1));
    *t = (struct kd_trial_info){
        .number = sqlite3_column_int(s, 0),
        .state = state < 0 ? KD_TRIAL_PENDING : (enum kd_trial_state)state,
        .reason = kd_column_strdup(s, 2),
        .log = kd_column_strdup(s, 3),
        .attempts = sqlite3_column_int(s, 4),
        .parent = int_or(s, 5, -1),
        .until = sqlite3_column_int64(s, 6),
        .created_at = sqlite3_column_double(s, 7),
        .started_at = sqlite3_column_double(s, 8),
        .finished_at = sqlite3_column_double(s, 9),
        .exit_code = int_or(s, 10, -1),
        .exit_signal = int_or(s, 11, -1),
        .objective = NAN,
    };
    t->is_feasible = kd_trial_is_terminal(t->state);
}

static char *param_text(sqlite3_stmt *s, int at)
{
    char buffer[KD_NUMBER_MAX];
    if (sqlite3_column_type(s, at) == SQLITE_FLOAT)
        return kd_strdup(kd_number_text(sqlite3_column_double(s, at), buffer));
    return kd_column_strdup(s, at);
}

static void add_param(struct kd_trial_info *t, sqlite3_stmt *s)
{
    t->params = kd_realloc_array(t->params, (size_t)t->n_params + 1, sizeof *t->params);
    t->params[t->n_params++] =
        (struct kd_param_value){.name = kd_column_strdup(s, 1),
                                .text = param_text(s, 2),
                                .is_text = sqlite3_column_type(s, 2) == SQLITE_TEXT};
}

static void append_value(double **values, int *n, sqlite3_stmt *s)
{
    *values = kd_realloc_array(*values, (size_t)*n + 1, sizeof **values);
    (*values)[(*n)++] = kd_column_value(s, 1);
}

static void add_objective(struct kd_trial_info *t, sqlite3_stmt *s)
{
    append_value(&t->objectives, &t->n_objectives, s);
    t->has_objective = true;
    t->objective = t->objectives[0];
}

static void add_constraint(struct kd_trial_info *t, sqlite3_stmt *s)
{
    append_value(&t->excess, &t->n_constraints, s);
    if (!(t->excess[t->n_constraints - 1] <= 0)) /* NaN: not known */
        t->is_feasible = false;
}

static void add_gpus(struct kd_trial_info *t, sqlite3_stmt *s)
{
    t->n_gpus = sqlite3_column_int(s, 1);
    t->gpus = kd_column_gpu_total(s, 2);
}

/* What belongs to trials: a query by trial_id, and what to do with each of its rows. */
static const struct {
    const char *sql;
    void (*add)(struct kd_trial_info *, sqlite3_stmt *);
} details[] = {
    {"SELECT trial_id, name, value FROM params WHERE trial_id BETWEEN ?1 AND ?2 "
     "ORDER BY trial_id, i",
     add_param},
    {"SELECT trial_id, value, nonfinite FROM objectives WHERE trial_id BETWEEN ?1 AND ?2 "
     "ORDER BY trial_id, i",
     add_objective},
    {"SELECT trial_id, value, nonfinite FROM constraints WHERE trial_id BETWEEN ?1 AND ?2 "
     "ORDER BY trial_id, i",
     add_constraint},
    {"SELECT a.trial_id, count(*), sum(g.seconds), max(g.memory_peak_bytes), "
     "sum(g.utilization_mean_percent * g.seconds) / "
     "sum(CASE WHEN g.utilization_mean_percent IS NULL THEN NULL ELSE g.seconds END), "
     "max(g.utilization_peak_percent), max(g.temperature_peak_celsius), sum(g.energy_joules) "
     "FROM attempts AS a JOIN attempt_gpus AS g ON g.fence = a.fence "
     "WHERE a.trial_id BETWEEN ?1 AND ?2 GROUP BY a.trial_id ORDER BY a.trial_id",
     add_gpus},
};

/* Both walks go by number, so the trials are found by stepping on. */
static int add_detail(struct kd_store *store, size_t which, int64_t first_id, int64_t last_id,
                      struct kd_trial_info *trials, int n, struct kd_error *err)
{
    int rc, at = 0;
    sqlite3_stmt *s = kd_statement_new(store, details[which].sql, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, first_id);
    kd_bind_int(s, 2, last_id);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        int number = (int)(sqlite3_column_int64(s, 0) % KD_TRIALS_PER_EXPERIMENT);
        while (at < n && trials[at].number < number)
            at++;
        if (at < n && trials[at].number == number)
            details[which].add(&trials[at], s);
    }
    if (rc != SQLITE_DONE)
        kd_store_fail(store, err, "cannot read the parameters, objectives, constraints and GPUs");
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? 0 : -1;
}

int kd_query_trials(struct kd_store *store, int64_t experiment, int number,
                    struct kd_trial_info **trials, int *n, struct kd_error *err)
{
    KD_ARR(struct kd_trial_info) list = {0};
    int64_t first = kd_trial_row_id(experiment, number < 0 ? 0 : number);
    int64_t last = number < 0 ? kd_trial_row_id(experiment, KD_TRIALS_PER_EXPERIMENT - 1) : first;
    int rc;
    sqlite3_stmt *s = kd_statement_new(
        store,
        "SELECT number, state, reason, log, attempts, parent, until, created_at, started_at, "
        "finished_at, exit_code, exit_signal FROM trials WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
        err);
    *trials = NULL;
    *n = 0;
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, first);
    kd_bind_int(s, 2, last);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct kd_trial_info t;
        fill_trial(&t, s);
        kd_arr_push(&list, t);
    }
    if (rc != SQLITE_DONE)
        kd_store_fail(store, err, "cannot read the trials");
    sqlite3_finalize(s);
    *trials = list.items;
    *n = (int)list.n;
    int result = rc == SQLITE_DONE ? 0 : -1;
    for (size_t i = 0; i < KD_COUNT(details) && result == 0; i++)
        result = add_detail(store, i, first, last, list.items, *n, err);
    return result;
}

static void release_trial(struct kd_trial_info *t)
{
    for (int i = 0; i < t->n_params; i++) {
        free(t->params[i].name);
        free(t->params[i].text);
    }
    free(t->params);
    free(t->objectives);
    free(t->excess);
    free(t->reason);
    free(t->log);
}

void kd_trial_infos_free(struct kd_trial_info *trials, int n)
{
    for (int i = 0; i < n; i++)
        release_trial(&trials[i]);
    free(trials);
}
