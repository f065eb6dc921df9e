#include "coordinator/store/query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/store/internal.h"

int kd_query_begin(struct kd_store *store, struct kd_error *err)
{
    if (sqlite3_exec(store->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return kd_store_fail(store, err, "cannot read");
}

void kd_query_end(struct kd_store *store)
{
    if (sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

/* The canonical tree names the objective; json_extract stops with an error on what is no JSON. */
#define FROM_CANONICAL(field)                                                                      \
    "CASE WHEN json_valid(canonical) THEN coalesce(json_extract(canonical, "                       \
    "'$.spec.objective." field "'), json_extract(canonical, '$.objective." field "')) END"

#define SELECT_EXPERIMENTS                                                                         \
    "SELECT id, name, state, reason, file, canonical, created_at, finished_at, "                   \
    "" FROM_CANONICAL("objectiveMetricName") ", " FROM_CANONICAL("type") " FROM experiments "

static void fill_experiment(struct kd_experiment_info *e, sqlite3_stmt *s)
{
    const char *type = (const char *)sqlite3_column_text(s, 9);
    *e = (struct kd_experiment_info){
        .id = sqlite3_column_int64(s, 0),
        .name = kd_column_strdup(s, 1),
        .state = kd_column_strdup(s, 2),
        .reason = kd_column_strdup(s, 3),
        .file = kd_column_strdup(s, 4),
        .canonical = kd_column_strdup(s, 5),
        .created_at = sqlite3_column_double(s, 6),
        .finished_at = sqlite3_column_double(s, 7),
        .metric = kd_column_strdup(s, 8),
        .maximize = type != NULL && strcmp(type, "maximize") == 0,
        .best = -1,
        .best_objective = NAN,
    };
}

static int count_states(struct kd_store *store, struct kd_experiment_info *e, struct kd_error *err)
{
    int rc;
    sqlite3_stmt *s = kd_statement_new(
        store, "SELECT state, count(*) FROM trials WHERE experiment_id = ?1 GROUP BY state", err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, e->id);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        int state = kd_trial_state_find((const char *)sqlite3_column_text(s, 0));
        if (state >= 0)
            e->counts[state] = sqlite3_column_int(s, 1);
        e->n_trials += sqlite3_column_int(s, 1);
    }
    if (rc != SQLITE_DONE)
        kd_store_fail(store, err, "cannot count the trials");
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? 0 : -1;
}

/* trials.objective is NULL when it is not finite, but a file written by others may hold an infinity. */
static int find_best(struct kd_store *store, struct kd_experiment_info *e, struct kd_error *err)
{
    sqlite3_stmt *s =
        kd_statement_new(store,
                         "SELECT number, objective FROM trials WHERE experiment_id = ?1 AND "
                         "state IN('Succeeded', 'EarlyStopped') AND abs(objective) < 9e999 "
                         "ORDER BY objective * ?2, number LIMIT 1",
                         err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, e->id);
    kd_bind_int(s, 2, e->maximize ? -1 : 1);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        e->best = sqlite3_column_int(s, 0);
        e->best_objective = sqlite3_column_double(s, 1);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        kd_store_fail(store, err, "cannot find the best trial");
    sqlite3_finalize(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

static int complete(struct kd_store *store, struct kd_experiment_info *e, struct kd_error *err)
{
    return count_states(store, e, err) != 0 || find_best(store, e, err) != 0 ? -1 : 0;
}

int kd_query_experiments(struct kd_store *store, struct kd_experiment_info **experiments, int *n,
                         struct kd_error *err)
{
    KD_ARR(struct kd_experiment_info) list = {0};
    int rc, result = 0;
    sqlite3_stmt *s = kd_statement_new(store, SELECT_EXPERIMENTS "ORDER BY created_at, id", err);
    if (s == NULL)
        return -1;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct kd_experiment_info e;
        fill_experiment(&e, s);
        kd_arr_push(&list, e);
    }
    if (rc != SQLITE_DONE)
        result = kd_store_fail(store, err, "cannot read the experiments");
    sqlite3_finalize(s);
    for (size_t i = 0; i < list.n && result == 0; i++)
        result = complete(store, &list.items[i], err);
    *experiments = list.items;
    *n = (int)list.n;
    return result;
}

void kd_experiment_info_release(struct kd_experiment_info *e)
{
    char *owned[] = {e->name, e->state, e->reason, e->file, e->canonical, e->metric};
    for (size_t i = 0; i < KD_COUNT(owned); i++)
        free(owned[i]);
    *e = (struct kd_experiment_info){0};
}

void kd_experiment_infos_free(struct kd_experiment_info *experiments, int n)
{
    for (int i = 0; i < n; i++)
        kd_experiment_info_release(&experiments[i]);
    free(experiments);
}

int kd_query_experiment(struct kd_store *store, const char *name,
                        struct kd_experiment_info *experiment, struct kd_error *err)
{
    sqlite3_stmt *s =
        kd_statement_new(store,
                         SELECT_EXPERIMENTS "WHERE ?1 IS NULL OR name = ?1 "
                                            "ORDER BY created_at DESC, id DESC LIMIT 1",
                         err);
    *experiment = (struct kd_experiment_info){0};
    if (s == NULL)
        return -1;
    kd_bind_text(s, 1, name);
    int rc = sqlite3_step(s), result = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        fill_experiment(experiment, s);
    else if (rc != SQLITE_DONE)
        result = kd_store_fail(store, err, "cannot look up the experiment");
    sqlite3_finalize(s);
    if (result == 1 && complete(store, experiment, err) != 0) {
        kd_experiment_info_release(experiment);
        result = -1;
    }
    return result;
}
