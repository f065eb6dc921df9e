#include "coordinator/store/schema.h"

#include <stdint.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/store/schema_1.h"
#include "coordinator/store/schema_2.h"
#include "coordinator/store/schema_3.h"

/* migrations[v] brings a file of version v to version v + 1. */
static const char *const migrations[] = {
    KD_SCHEMA_1,
    KD_SCHEMA_2,
    KD_SCHEMA_3,
};

/* stand_ins[v] makes a file of version v + 1 look like one of version v + 2 to whoever reads it. */
static const char *const stand_ins[] = {
    KD_STAND_IN_2,
    KD_STAND_IN_3,
};

int kd_schema_version(void)
{
    return (int)KD_COUNT(migrations);
}

static int read_number(sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int refuse_unreadable(sqlite3 *db, const char *path, struct kd_error *err)
{
    int code = sqlite3_extended_errcode(db) & 0xff;
    if (code == SQLITE_NOTADB)
        return kd_fail(err, "%s is not a database: give another file with --db", path);
    if (code == SQLITE_CORRUPT)
        return kd_fail(err,
                       "%s is damaged (%s): restore it from a backup, or save what is left "
                       "with `sqlite3 %s .recover`",
                       path, sqlite3_errmsg(db), path);
    if (code == SQLITE_BUSY)
        return kd_fail(err, "%s is held by another program; close it and try again", path);
    return kd_fail(err, "cannot read %s: %s", path, sqlite3_errmsg(db));
}

int kd_schema_check(sqlite3 *db, const char *path, enum kd_schema_kind *kind, struct kd_error *err)
{
    int64_t application = 0, version = 0, objects = 0;
    if (read_number(db, "SELECT count(*) FROM sqlite_schema", &objects) != SQLITE_OK ||
        read_number(db, "PRAGMA application_id", &application) != SQLITE_OK ||
        read_number(db, "PRAGMA user_version", &version) != SQLITE_OK)
        return refuse_unreadable(db, path, err);
    if (objects == 0 && application == 0 && version == 0) {
        *kind = KD_SCHEMA_EMPTY;
        return 0;
    }
    if (application != KD_APPLICATION_ID)
        return kd_fail(err,
                       "%s is a database of another program (application_id %lld), not of katydid: "
                       "give another file with --db",
                       path, (long long)application);
    if (version > kd_schema_version())
        return kd_fail(err,
                       "%s was written by a newer katydid (its format is %lld, this program knows "
                       "up to %d); nothing was changed. Use the newer katydid, or another --db",
                       path, (long long)version, kd_schema_version());
    *kind = version < kd_schema_version() ? KD_SCHEMA_OLDER : KD_SCHEMA_CURRENT;
    return 0;
}

static int run_migrations(sqlite3 *db, int64_t version)
{
    for (int64_t v = version; v < kd_schema_version(); v++) {
        int rc = sqlite3_exec(db, migrations[v], NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    char *sql = kd_format("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                          KD_APPLICATION_ID, kd_schema_version());
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    free(sql);
    return rc;
}

int kd_schema_migrate(sqlite3 *db, const char *path, struct kd_error *err)
{
    int64_t version = 0;
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = read_number(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = run_migrations(db, version);
    if (rc == SQLITE_OK)
        return 0;
    kd_fail(err, "%s: cannot bring the tables from version %lld to %d: %s", path,
            (long long)version, kd_schema_version(), sqlite3_errmsg(db));
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

int kd_schema_stand_in(sqlite3 *db, const char *path, struct kd_error *err)
{
    int64_t version = 0;
    int rc = read_number(db, "PRAGMA user_version", &version);
    for (int64_t v = version; rc == SQLITE_OK && v < kd_schema_version(); v++)
        rc = sqlite3_exec(db, stand_ins[v - 1], NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return kd_fail(err, "%s: cannot read the tables of version %lld: %s", path,
                       (long long)version, sqlite3_errmsg(db));
    return 0;
}
