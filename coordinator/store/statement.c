/* statement.c - prepared statements, binding, columns, and the text of a failure. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/store/internal.h"
#include "coordinator/store/place.h"

static const char *const sql_of[] = {
#define X(id, sql) sql,
#include "coordinator/store/statements.def"
#undef X
};

int64_t kd_trial_row_id(int64_t experiment, int number)
{
    kd_assert(number >= 0 && number < KD_TRIALS_PER_EXPERIMENT);
    return experiment * KD_TRIALS_PER_EXPERIMENT + number;
}

int kd_store_fail(struct kd_store *store, struct kd_error *err, const char *format, ...)
{
    char what[512], room[32];
    int code = sqlite3_extended_errcode(store->db);
    const char *reason = sqlite3_errmsg(store->db);
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if ((code & 0xff) == SQLITE_FULL)
        return kd_fail(err,
                       "%s: %s: the disk is full (%s free): nothing of this step was saved; "
                       "free some space and it goes on",
                       store->path, what, kd_bytes_text(kd_place_free_bytes(store->path), room));
    if ((code & 0xff) == SQLITE_IOERR)
        return kd_fail(err, "%s: %s: %s (SQLite %d, %s; %s free)", store->path, what, reason, code,
                       strerror(sqlite3_system_errno(store->db)),
                       kd_bytes_text(kd_place_free_bytes(store->path), room));
    return kd_fail(err, "%s: %s: %s (SQLite %d)", store->path, what, reason, code);
}

sqlite3_stmt *kd_statement_new(struct kd_store *store, const char *sql, struct kd_error *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        kd_store_fail(store, err, "cannot prepare \"%.200s\"", sql);
        return NULL;
    }
    return statement;
}

sqlite3_stmt *kd_statement_get(struct kd_store *store, enum kd_statement which,
                               struct kd_error *err)
{
    sqlite3_stmt **slot = &store->statements[which];
    if (*slot != NULL)
        return *slot;
    if (sqlite3_prepare_v3(store->db, sql_of[which], -1, SQLITE_PREPARE_PERSISTENT, slot, NULL) !=
        SQLITE_OK)
        kd_store_fail(store, err, "cannot prepare \"%.200s\"", sql_of[which]);
    return *slot;
}

sqlite3_stmt *kd_statement_change(struct kd_store *store, enum kd_statement which,
                                  struct kd_error *err)
{
    kd_assert(store->in_transaction);
    if (!store->is_spoiled)
        return kd_statement_get(store, which, err);
    kd_fail(err, "%s: an earlier failure has undone this step: nothing of it is saved",
            store->path);
    return NULL;
}

int kd_statement_run(struct kd_store *store, sqlite3_stmt *statement, const char *what,
                     struct kd_error *err)
{
    int rc = sqlite3_step(statement);
    int result = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : kd_store_fail(store, err, "%s", what);
    store->is_spoiled |= result != 0 && store->in_transaction;
    sqlite3_reset(statement);
    return result;
}

void kd_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

void kd_bind_int(sqlite3_stmt *statement, int at, int64_t value)
{
    sqlite3_bind_int64(statement, at, value);
}

void kd_bind_int_or_null(sqlite3_stmt *statement, int at, int64_t value, bool given)
{
    if (given)
        sqlite3_bind_int64(statement, at, value);
    else
        sqlite3_bind_null(statement, at);
}

void kd_bind_time(sqlite3_stmt *statement, int at, double seconds)
{
    if (seconds > 0)
        sqlite3_bind_double(statement, at, seconds);
    else
        sqlite3_bind_null(statement, at);
}

void kd_bind_value(sqlite3_stmt *statement, int at, double value)
{
    const char *nonfinite = kd_nonfinite_name(value);
    if (nonfinite == NULL)
        sqlite3_bind_double(statement, at, value);
    else
        sqlite3_bind_null(statement, at);
    kd_bind_text(statement, at + 1, nonfinite);
}

const char *kd_nonfinite_name(double value)
{
    if (isfinite(value))
        return NULL;
    if (isnan(value))
        return "nan";
    return value > 0 ? "inf" : "-inf";
}

double kd_nonfinite_value(const char *name)
{
    if (name == NULL || strcmp(name, "nan") == 0)
        return NAN;
    return *name == '-' ? -INFINITY : INFINITY;
}

double kd_column_value(sqlite3_stmt *statement, int at)
{
    if (sqlite3_column_type(statement, at) != SQLITE_NULL)
        return sqlite3_column_double(statement, at);
    return kd_nonfinite_value((const char *)sqlite3_column_text(statement, at + 1));
}

char *kd_column_strdup(sqlite3_stmt *statement, int at)
{
    return kd_strdup((const char *)sqlite3_column_text(statement, at));
}
