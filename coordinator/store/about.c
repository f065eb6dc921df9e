/* about.c - what this build's SQLite is, and what tables the schema has: asked of SQLite itself, in
 * memory. */
#include <stdio.h>

#include "coordinator/store/connection.h"
#include "coordinator/store/query.h"
#include "coordinator/store/schema.h"

const char *kd_sqlite_version(void)
{
    return sqlite3_libversion();
}

/* https://sqlite.org/wal.html, "the WAL-reset bug": 3.7.0 to 3.51.2, mended in 3.44.6, 3.50.7 and
 * 3.51.3. */
static bool has_wal_reset_bug(int version)
{
    if (version >= 3051003 || version < 3007000)
        return false;
    if (version >= 3044006 && version < 3045000)
        return false;
    return !(version >= 3050007 && version < 3051000);
}

const char *kd_sqlite_note(void)
{
    if (!has_wal_reset_bug(sqlite3_libversion_number()))
        return NULL;
    return "this version can damage a WAL file when two connections write or checkpoint at once; "
           "katydid never does, so do not write to its file with other programs while it runs";
}

static int each_table(sqlite3 *db, kd_table_fn fn, void *ud)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(
        db,
        "SELECT m.name, group_concat(c.name, ', ') FROM sqlite_schema AS m, "
        "pragma_table_info(m.name) AS c WHERE m.type IN('table', 'view') GROUP BY m.name "
        "ORDER BY m.rowid",
        -1, &s, NULL);
    while (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        fn(ud, (const char *)sqlite3_column_text(s, 0), (const char *)sqlite3_column_text(s, 1));
    sqlite3_finalize(s);
    return rc;
}

int kd_query_schema(kd_table_fn fn, void *ud, struct kd_error *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open(":memory:", &db) == SQLITE_OK ? 0 : kd_fail(err, "SQLite has no memory");
    if (rc == 0)
        rc = kd_schema_migrate(db, "the tables", err);
    if (rc == 0 && each_table(db, fn, ud) != SQLITE_OK)
        rc = kd_fail(err, "cannot list the tables: %s", sqlite3_errmsg(db));
    sqlite3_close(db);
    return rc;
}
