/* events.c - the journal: appended in order, walked in order. */
#include <stddef.h>

#include "coordinator/store/internal.h"

int kd_store_add_event(struct kd_store *store, int64_t experiment, double at, int trial,
                       const char *kind, const char *data, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_ADD_EVENT, err);
    if (s == NULL)
        return -1;
    sqlite3_bind_double(s, 1, at);
    kd_bind_int(s, 2, experiment);
    kd_bind_int_or_null(s, 3, trial < 0 ? 0 : kd_trial_row_id(experiment, trial), trial >= 0);
    kd_bind_text(s, 4, kind);
    kd_bind_text(s, 5, data);
    return kd_statement_run(store, s, "cannot add to the journal", err);
}

static int give_event(sqlite3_stmt *s, kd_event_fn fn, void *ud, struct kd_error *err)
{
    bool has_trial = sqlite3_column_type(s, 2) != SQLITE_NULL;
    return fn(ud, sqlite3_column_int64(s, 0), sqlite3_column_double(s, 1),
              has_trial ? (int)(sqlite3_column_int64(s, 2) % KD_TRIALS_PER_EXPERIMENT) : -1,
              (const char *)sqlite3_column_text(s, 3), (const char *)sqlite3_column_text(s, 4),
              err);
}

int kd_store_each_event(struct kd_store *store, int64_t experiment, kd_event_fn fn, void *ud,
                        struct kd_error *err)
{
    int rc = SQLITE_DONE, result = 0;
    sqlite3_stmt *s = kd_statement_new(store,
                                       "SELECT seq, at, trial_id, kind, data FROM events "
                                       "WHERE experiment_id = ?1 ORDER BY seq",
                                       err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, experiment);
    while (result == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW)
        result = give_event(s, fn, ud, err);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        result = kd_store_fail(store, err, "cannot read the journal");
    sqlite3_finalize(s);
    return result;
}
