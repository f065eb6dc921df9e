/* metrics.c - points appended in bulk. One statement bound and stepped per point; the trial's id
 * needs no look-up and the fence was checked once for the message by whoever calls. */
#include <stddef.h>

#include "coordinator/store/internal.h"

static int add_point(struct kd_store *store, sqlite3_stmt *s, const struct kd_metric_point *point,
                     struct kd_error *err)
{
    kd_bind_text(s, 2, point->name);
    kd_bind_int(s, 3, point->step);
    kd_bind_value(s, 5, point->value);
    sqlite3_bind_double(s, 7, point->at);
    return kd_statement_run(store, s, "cannot add metrics", err);
}

int kd_store_add_metrics(struct kd_store *store, int64_t experiment, int trial, int64_t fence,
                         const struct kd_metric_point *points, int n, int64_t *first, int64_t *last,
                         struct kd_error *err)
{
    kd_assert(n >= 1);
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_ADD_METRIC, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, kd_trial_row_id(experiment, trial));
    kd_bind_int(s, 4, fence);
    for (int i = 0; i < n; i++)
        if (add_point(store, s, &points[i], err) != 0)
            return -1;
    *last = sqlite3_last_insert_rowid(store->db);
    *first = *last - n + 1;
    return 0;
}

int kd_store_each_metric(struct kd_store *store, int64_t first, int64_t last, const char *name,
                         kd_metric_fn fn, void *ud, struct kd_error *err)
{
    int rc = SQLITE_DONE, result = 0;
    sqlite3_stmt *s = kd_statement_new(store,
                                       "SELECT name, step, value, nonfinite, at FROM metrics "
                                       "WHERE id BETWEEN ?1 AND ?2 AND (?3 IS NULL OR name = ?3) "
                                       "ORDER BY id",
                                       err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, first);
    kd_bind_int(s, 2, last);
    kd_bind_text(s, 3, name);
    while (result == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct kd_metric_point point = {(const char *)sqlite3_column_text(s, 0),
                                        sqlite3_column_int64(s, 1), kd_column_value(s, 2),
                                        sqlite3_column_double(s, 4)};
        result = fn(ud, &point);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = kd_store_fail(store, err, "cannot read the metrics");
    sqlite3_finalize(s);
    return result;
}
