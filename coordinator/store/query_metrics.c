/* query_metrics.c - what the trials of an experiment have measured. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/store/internal.h"
#include "coordinator/store/query.h"

/* SQLite fills the bare columns of a lone max() from its row: the last point. */
int kd_query_observation(struct kd_store *store, int64_t experiment, int number,
                         struct kd_observed_metric **metrics, int *n, struct kd_error *err)
{
    KD_ARR(struct kd_observed_metric) list = {0};
    int rc;
    sqlite3_stmt *s = kd_statement_new(
        store,
        "SELECT last.name, low, high, value, nonfinite, step FROM "
        "(SELECT name, value, nonfinite, step, max(id) FROM metric WHERE trial_id = ?1 "
        " GROUP BY name) AS last JOIN "
        "(SELECT name, min(value) AS low, max(value) AS high FROM metric WHERE trial_id = ?1 "
        " GROUP BY name) AS range USING(name) ORDER BY last.name",
        err);
    *metrics = NULL;
    *n = 0;
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, kd_trial_row_id(experiment, number));
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        bool has_range = sqlite3_column_type(s, 1) != SQLITE_NULL;
        struct kd_observed_metric metric = {
            .name = kd_column_strdup(s, 0),
            .min = has_range ? sqlite3_column_double(s, 1) : NAN,
            .max = has_range ? sqlite3_column_double(s, 2) : NAN,
            .latest = kd_column_value(s, 3),
            .step = sqlite3_column_int64(s, 5),
        };
        kd_arr_push(&list, metric);
    }
    if (rc != SQLITE_DONE)
        kd_store_fail(store, err, "cannot read the metrics of trial %d", number);
    sqlite3_finalize(s);
    *metrics = list.items;
    *n = (int)list.n;
    return rc == SQLITE_DONE ? 0 : -1;
}

void kd_observed_metrics_free(struct kd_observed_metric *metrics, int n)
{
    for (int i = 0; i < n; i++)
        free(metrics[i].name);
    free(metrics);
}

int kd_query_points(struct kd_store *store, int64_t experiment, int number, const char *metric,
                    kd_metric_fn fn, void *ud, struct kd_error *err)
{
    int rc = SQLITE_DONE, result = 0;
    sqlite3_stmt *s = kd_statement_new(store,
                                       "SELECT name, step, value, nonfinite, at FROM metric "
                                       "WHERE trial_id = ?1 AND name = ?2 ORDER BY step",
                                       err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, kd_trial_row_id(experiment, number));
    kd_bind_text(s, 2, metric);
    while (result == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct kd_metric_point point = {(const char *)sqlite3_column_text(s, 0),
                                        sqlite3_column_int64(s, 1), kd_column_value(s, 2),
                                        sqlite3_column_double(s, 4)};
        result = fn(ud, &point);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = kd_store_fail(store, err, "cannot read the metrics of trial %d", number);
    sqlite3_finalize(s);
    return result;
}

int kd_query_has_metric(struct kd_store *store, int64_t experiment, const char *metric,
                        char **recorded, struct kd_error *err)
{
    int rc, found = 0;
    struct kd_str names = {0};
    sqlite3_stmt *s = kd_statement_new(
        store, "SELECT DISTINCT name FROM metrics WHERE trial_id BETWEEN ?1 AND ?2 ORDER BY name",
        err);
    *recorded = NULL;
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, kd_trial_row_id(experiment, 0));
    kd_bind_int(s, 2, kd_trial_row_id(experiment, KD_TRIALS_PER_EXPERIMENT - 1));
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        kd_str_addf(&names, "%s%s", names.length ? ", " : "", name);
        found |= strcmp(name, metric) == 0;
    }
    if (rc != SQLITE_DONE)
        found = kd_store_fail(store, err, "cannot read the metrics' names");
    sqlite3_finalize(s);
    *recorded = names.length ? kd_str_take(&names) : kd_strdup("");
    return found;
}
