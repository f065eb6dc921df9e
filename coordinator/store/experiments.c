/* experiments.c - the rows of what was asked for. */
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/store/internal.h"

void kd_experiment_row_release(struct kd_experiment_row *row)
{
    char *owned[] = {row->name,     row->spec, row->canonical, row->digest,
                     row->base_dir, row->file, row->state,     row->reason};
    for (size_t i = 0; i < KD_COUNT(owned); i++)
        free(owned[i]);
    *row = (struct kd_experiment_row){0};
}

static void fill(struct kd_experiment_row *row, sqlite3_stmt *s)
{
    *row = (struct kd_experiment_row){
        .id = sqlite3_column_int64(s, 0),
        .name = kd_column_strdup(s, 1),
        .spec = kd_column_strdup(s, 2),
        .canonical = kd_column_strdup(s, 3),
        .digest = kd_column_strdup(s, 4),
        .base_dir = kd_column_strdup(s, 5),
        .file = kd_column_strdup(s, 6),
        .state = kd_column_strdup(s, 7),
        .reason = kd_column_strdup(s, 8),
        .seed = (uint64_t)sqlite3_column_int64(s, 9),
        .created_at = sqlite3_column_double(s, 10),
        .finished_at = sqlite3_column_double(s, 11),
    };
}

int kd_store_find_experiment(struct kd_store *store, const char *name,
                             struct kd_experiment_row *row, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_get(store, KD_SQL_FIND_EXPERIMENT, err);
    if (s == NULL)
        return -1;
    kd_bind_text(s, 1, name);
    int rc = sqlite3_step(s), found = rc == SQLITE_ROW;
    if (found)
        fill(row, s);
    else if (rc != SQLITE_DONE)
        found = kd_store_fail(store, err, "cannot look up the experiment %s", name);
    sqlite3_reset(s);
    return found;
}

int kd_store_add_experiment(struct kd_store *store, struct kd_experiment_row *row,
                            struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_ADD_EXPERIMENT, err);
    if (s == NULL)
        return -1;
    const char *texts[] = {row->name,     row->spec, row->canonical, row->digest,
                           row->base_dir, row->file, row->state,     row->reason};
    for (int i = 0; i < (int)KD_COUNT(texts); i++)
        kd_bind_text(s, i + 1, texts[i]);
    kd_bind_int(s, 9, (int64_t)row->seed);
    sqlite3_bind_double(s, 10, row->created_at);
    kd_bind_time(s, 11, row->finished_at);
    if (kd_statement_run(store, s, "cannot add the experiment", err) != 0)
        return -1;
    row->id = sqlite3_last_insert_rowid(store->db);
    return 0;
}

int kd_store_save_experiment(struct kd_store *store, const struct kd_experiment_row *row,
                             struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_SAVE_EXPERIMENT, err);
    if (s == NULL)
        return -1;
    kd_bind_text(s, 1, row->spec);
    kd_bind_text(s, 2, row->state);
    kd_bind_text(s, 3, row->reason);
    kd_bind_time(s, 4, row->finished_at);
    kd_bind_int(s, 5, row->id);
    if (kd_statement_run(store, s, "cannot save the experiment", err) != 0)
        return -1;
    if (sqlite3_changes(store->db) != 1)
        return kd_fail(err, "%s has no experiment with the id %lld", store->path,
                       (long long)row->id);
    return 0;
}
