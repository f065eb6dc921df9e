/* connection.h - opening SQLite as this room wants it: one writer with WAL and FULL, readers that
 * disturb nobody. */
#ifndef KD_STORE_CONNECTION_H
#define KD_STORE_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>

#include "coordinator/base/error.h"

/* For the owner of the lock. `network`: a rollback journal and an exclusive lock instead of WAL.
 * Creates the file and its tables; refuses a foreign or a newer file, untouched. NULL and err. */
sqlite3 *kd_connection_open_writer(const char *path, bool network, struct kd_error *err);

/* Read-only; the file must exist, be ours and not newer. NULL and err. */
sqlite3 *kd_connection_open_reader(const char *path, struct kd_error *err);

/* After this, closing folds the WAL into the file and removes it. */
void kd_connection_finish_on_close(sqlite3 *db);

#endif
