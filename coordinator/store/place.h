/* place.h - where the database file lies: its absolute path, its folder, its file system. No
 * SQLite. */
#ifndef KD_STORE_PLACE_H
#define KD_STORE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

/* Absolute path with links followed, so that two names of one file share one lock. The file need
 * not exist, its folder must. Owned; NULL: the folder is missing, or the path is a folder. */
char *kd_place_resolve(const char *path, struct kd_error *err);

/* Bytes that this user may still write in the file system of the path (the file, or else its
 * folder); -1 unknown. */
int64_t kd_place_free_bytes(const char *path);

/* "ext4", "nfs" ... for messages; "unknown" when the kernel's number is not in the table. */
const char *kd_place_filesystem(const char *path);

/* WAL needs shared memory between processes, which these file systems do not give. */
bool kd_place_is_network(const char *path);

/* "1.5 GiB"; borrowed from buffer. */
const char *kd_bytes_text(int64_t bytes, char buffer[32]);

#endif
