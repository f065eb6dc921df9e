#include "coordinator/store/query.h"

#include <jansson.h>
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

#define SELECT_EXPERIMENTS                                                                         \
    "SELECT id, name, state, reason, file, canonical, created_at, finished_at FROM experiments "

static void fill_experiment(struct kd_experiment_info *e, sqlite3_stmt *s)
{
    *e = (struct kd_experiment_info){
        .id = sqlite3_column_int64(s, 0),
        .name = kd_column_strdup(s, 1),
        .state = kd_column_strdup(s, 2),
        .reason = kd_column_strdup(s, 3),
        .file = kd_column_strdup(s, 4),
        .canonical = kd_column_strdup(s, 5),
        .created_at = sqlite3_column_double(s, 6),
        .finished_at = sqlite3_column_double(s, 7),
        .best = -1,
        .best_objective = NAN,
    };
}

static void add_objective(struct kd_experiment_info *e, const json_t *item, const char *key)
{
    const char *type = json_string_value(json_object_get(item, "type"));
    const char *metric = json_string_value(json_object_get(item, key));
    e->objectives =
        kd_realloc_array(e->objectives, (size_t)e->n_objectives + 1, sizeof *e->objectives);
    e->objectives[e->n_objectives++] = (struct kd_objective_info){
        .metric = kd_strdup(metric), .maximize = type && strcmp(type, "maximize") == 0};
}

static void add_constraint(struct kd_experiment_info *e, const json_t *item)
{
    char number[KD_NUMBER_MAX];
    const json_t *most = json_object_get(item, "max"), *bound = most;
    const char *metric = json_string_value(json_object_get(item, "metric"));
    if (bound == NULL)
        bound = json_object_get(item, "min");
    e->constraints =
        kd_realloc_array(e->constraints, (size_t)e->n_constraints + 1, sizeof *e->constraints);
    e->constraints[e->n_constraints++] =
        kd_format("%s %s %s", metric ? metric : "?",
                  most ? "<=" : ">=", kd_number_text(json_number_value(bound), number));
}

/* What the canonical tree asks for; a text that is no such tree asks for one objective without a
 * name. */
static void read_goals(struct kd_experiment_info *e)
{
    json_t *tree = e->canonical ? json_loads(e->canonical, 0, NULL) : NULL;
    const json_t *spec = json_object_get(tree, "spec") ? json_object_get(tree, "spec") : tree;
    const json_t *objectives = json_object_get(spec, "objectives");
    const json_t *constraints = json_object_get(spec, "constraints");
    for (size_t i = 0; i < json_array_size(objectives); i++)
        add_objective(e, json_array_get(objectives, i), "metric");
    if (e->n_objectives == 0)
        add_objective(e, json_object_get(spec, "objective"), "objectiveMetricName");
    e->metric = e->objectives[0].metric;
    e->maximize = e->objectives[0].maximize;
    for (size_t i = 0; i < json_array_size(constraints); i++)
        add_constraint(e, json_array_get(constraints, i));
    json_decref(tree);
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

/* trials.objective is NULL when it is not finite, but a file written by others may hold an
 * infinity. */
static int find_best(struct kd_store *store, struct kd_experiment_info *e, struct kd_error *err)
{
    if (e->n_objectives > 1)
        return 0;
    sqlite3_stmt *s =
        kd_statement_new(store,
                         "SELECT number, objective FROM trials WHERE experiment_id = ?1 AND "
                         "state IN('Succeeded', 'EarlyStopped') AND abs(objective) < 9e999 "
                         "AND NOT EXISTS(SELECT 1 FROM constraints WHERE trial_id = trials.id "
                         "AND ifnull(value, 1) > 0) ORDER BY objective * ?2, number LIMIT 1",
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
    read_goals(e);
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
    char *owned[] = {e->name, e->state, e->reason, e->file, e->canonical};
    for (size_t i = 0; i < KD_COUNT(owned); i++)
        free(owned[i]);
    for (int i = 0; i < e->n_objectives; i++)
        free(e->objectives[i].metric);
    for (int i = 0; i < e->n_constraints; i++)
        free(e->constraints[i]);
    free(e->objectives);
    free(e->constraints);
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
