/* internal.h - what the files of this room share: the handle, its prepared statements, binding and
 * failing.
 *
 * A statement is taken with kd_statement_get (prepared once), its values are bound, and it is run
 * with kd_statement_run, or stepped and then reset by whoever took it. */
#ifndef KD_STORE_INTERNAL_H
#define KD_STORE_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "coordinator/store/query.h"
#include "coordinator/store/store.h"

enum kd_statement {
#define X(id, sql) KD_SQL_##id,
#include "coordinator/store/statements.def"
#undef X
    KD_N_STATEMENTS
};

struct kd_store {
    sqlite3 *db;
    char *path; /* absolute */
    int lock;   /* -1 when read-only */
    bool readonly;
    bool in_transaction;
    bool is_spoiled; /* a change of this transaction failed: it can only be rolled back */
    char run_uuid[33];
    int64_t term;
    double commit_seconds;
    int wal_frames;       /* in the WAL after the last commit */
    int checkpoint_above; /* frames; see store.c */
    sqlite3_stmt *statements[KD_N_STATEMENTS];
};

/* A trial's row id, and back. */
enum { KD_TRIALS_PER_EXPERIMENT = 1000000000 };
int64_t kd_trial_row_id(int64_t experiment, int number);

/* "<path>: <what>: <SQLite's reason>", with the free space when the disk is full. Returns -1. */
int kd_store_fail(struct kd_store *store, struct kd_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* NULL and err when it cannot be prepared. */
sqlite3_stmt *kd_statement_get(struct kd_store *store, enum kd_statement which,
                               struct kd_error *err);
/* The same for a change: a bug outside begin .. commit; fails after another change of the
 * transaction has failed, so that no half of a step is ever saved. */
sqlite3_stmt *kd_statement_change(struct kd_store *store, enum kd_statement which,
                                  struct kd_error *err);
/* Of a statement's own SQL, for walks that may nest; the caller finalizes it. */
sqlite3_stmt *kd_statement_new(struct kd_store *store, const char *sql, struct kd_error *err);
/* For a statement that gives no rows; `what` is for the text. */
int kd_statement_run(struct kd_store *store, sqlite3_stmt *statement, const char *what,
                     struct kd_error *err);

void kd_bind_text(sqlite3_stmt *statement, int at, const char *text); /* borrowed; NULL is NULL */
void kd_bind_int(sqlite3_stmt *statement, int at, int64_t value);
void kd_bind_int_or_null(sqlite3_stmt *statement, int at, int64_t value, bool given);
void kd_bind_time(sqlite3_stmt *statement, int at, double seconds); /* 0 is NULL */
/* value at `at`, its non-finite name (or NULL) at `at + 1` */
void kd_bind_value(sqlite3_stmt *statement, int at, double value);

const char *kd_nonfinite_name(double value); /* NULL when finite; static */
double kd_nonfinite_value(const char *name); /* NaN for NULL */

/* Six columns from `at` on: seconds, memory, mean and peak percentage, temperature, joules. */
struct kd_gpu_total kd_column_gpu_total(sqlite3_stmt *statement, int at);

/* The value whose REAL stands in column `at` and whose non-finite name in `at + 1`. */
double kd_column_value(sqlite3_stmt *statement, int at);
char *kd_column_strdup(sqlite3_stmt *statement, int at);

#endif
