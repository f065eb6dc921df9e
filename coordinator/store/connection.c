#include "coordinator/store/connection.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/store/schema.h"

enum { BUSY_TIMEOUT_MS = 5000, LONGEST_TEXT = 64 << 20 };

static const char writer_pragmas[] = "PRAGMA foreign_keys = ON;"
                                     "PRAGMA synchronous = FULL;"
                                     "PRAGMA wal_autocheckpoint = 0;"
                                     "PRAGMA cache_size = -8000;"
                                     "PRAGMA temp_store = MEMORY;";

static void configure(sqlite3 *db)
{
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* Until we know that the file is ours, closing it must not fold somebody's WAL. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LONGEST_TEXT);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

void kd_connection_finish_on_close(sqlite3 *db)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}

static sqlite3 *open_file(const char *path, int flags, struct kd_error *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK) {
        int saved = db == NULL ? 0 : sqlite3_system_errno(db);
        kd_fail(err, "cannot open the database %s: %s%s%s", path, sqlite3_errstr(rc),
                saved ? ": " : "", saved ? strerror(saved) : "");
        sqlite3_close(db);
        return NULL;
    }
    configure(db);
    return db;
}

static int set_journal(sqlite3 *db, const char *path, bool network, struct kd_error *err)
{
    const char *mode = network ? "delete" : "wal", *got = NULL;
    sqlite3_stmt *statement = NULL;
    if (network)
        sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
    sqlite3_prepare_v2(db, network ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode = WAL",
                       -1, &statement, NULL);
    if (sqlite3_step(statement) == SQLITE_ROW)
        got = (const char *)sqlite3_column_text(statement, 0);
    bool ok = got != NULL && strcmp(got, mode) == 0;
    if (!ok)
        kd_fail(err, "%s: cannot set journal_mode to %s (got %s): %s", path, mode,
                got == NULL ? "nothing" : got, sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    return ok ? 0 : -1;
}

static int prepare_writer(sqlite3 *db, const char *path, bool network, struct kd_error *err)
{
    enum kd_schema_kind kind;
    if (sqlite3_db_readonly(db, "main") == 1)
        return kd_fail(err,
                       "the database %s is read-only for this user: change its mode or owner, "
                       "or give another file with --db",
                       path);
    if (kd_schema_check(db, path, &kind, err) != 0 || set_journal(db, path, network, err) != 0)
        return -1;
    if (sqlite3_exec(db, writer_pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return kd_fail(err, "%s: %s", path, sqlite3_errmsg(db));
    return kind == KD_SCHEMA_CURRENT ? 0 : kd_schema_migrate(db, path, err);
}

sqlite3 *kd_connection_open_writer(const char *path, bool network, struct kd_error *err)
{
    sqlite3 *db = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (db != NULL && prepare_writer(db, path, network, err) != 0) {
        sqlite3_close(db);
        return NULL;
    }
    return db;
}

/* A WAL file in a folder that we may not write cannot be opened the usual way, since readers share
 * memory through a file beside it. Without a WAL nothing is being written, so it may be read as it
 * stands. */
static sqlite3 *open_unchanging(const char *path, struct kd_error *err)
{
    struct kd_str uri = {0};
    kd_str_add(&uri, "file:");
    for (const char *p = path; *p; p++)
        if (*p == '?' || *p == '#' || *p == '%')
            kd_str_addf(&uri, "%%%02x", *p);
        else
            kd_str_addc(&uri, *p);
    kd_str_add(&uri, "?immutable=1");
    sqlite3 *db = open_file(uri.text, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    kd_str_release(&uri);
    return db;
}

static bool has_wal(const char *path)
{
    char *wal = kd_format("%s-wal", path);
    bool there = access(wal, F_OK) == 0;
    free(wal);
    return there;
}

static bool needs_to_write(sqlite3 *db)
{
    int code = sqlite3_extended_errcode(db) & 0xff;
    return code == SQLITE_CANTOPEN || code == SQLITE_READONLY;
}

sqlite3 *kd_connection_open_reader(const char *path, struct kd_error *err)
{
    enum kd_schema_kind kind;
    sqlite3 *db = open_file(path, SQLITE_OPEN_READONLY, err);
    if (db == NULL)
        return NULL;
    int rc = kd_schema_check(db, path, &kind, err);
    if (rc != 0 && needs_to_write(db) && !has_wal(path)) {
        sqlite3_close(db);
        db = open_unchanging(path, err);
        rc = db == NULL ? -1 : kd_schema_check(db, path, &kind, err);
    }
    if (rc == 0 && kind == KD_SCHEMA_EMPTY)
        rc = kd_fail(err, "%s is an empty database: nothing has been run with it yet", path);
    if (rc == 0 && kind == KD_SCHEMA_OLDER)
        rc = kd_schema_stand_in(db, path, err);
    if (rc == 0)
        return db;
    sqlite3_close(db);
    return NULL;
}
