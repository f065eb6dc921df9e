/* schema.h - which database file is ours, and of which version.
 *
 * A file is ours by its application_id; user_version counts the schema's versions from 1. An older
 * file is brought forward in one transaction; a newer or a foreign one is refused and left as it
 * is. */
#ifndef KD_STORE_SCHEMA_H
#define KD_STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>

#include "coordinator/base/error.h"

enum { KD_APPLICATION_ID = 0x4b545944 /* KTYD */ };

int kd_schema_version(void); /* the newest one, which this program writes */

enum kd_schema_kind { KD_SCHEMA_EMPTY, KD_SCHEMA_OLDER, KD_SCHEMA_CURRENT };

/* Reads only. -1 with a text when the file is foreign, newer, or no database at all; path is for
 * the text. */
int kd_schema_check(sqlite3 *db, const char *path, enum kd_schema_kind *kind, struct kd_error *err);

/* Creates the tables or brings them forward; nothing to do when current. */
int kd_schema_migrate(sqlite3 *db, const char *path, struct kd_error *err);

/* For a reader of an older file: what it lacks stands in the connection's own temporary tables,
 * empty. */
int kd_schema_stand_in(sqlite3 *db, const char *path, struct kd_error *err);

#endif
