/* lock.h - who owns a database file: an flock on <file>.lock, with the owner's name inside.
 *
 * The lock dies with its owner, however that ends. The file stays, empty, when nobody owns it:
 * removing it would let two owners hold two files of one name. */
#ifndef KD_STORE_LOCK_H
#define KD_STORE_LOCK_H

#include <stdbool.h>

#include "coordinator/base/error.h"

/* Retries for `wait_s`, since a child of the last owner may hold the lock between its fork and its
 * exec. Returns the descriptor (close-on-exec), or -1; *held says that a living owner is the
 * reason. */
int kd_lock_take(const char *path, double wait_s, bool *held, struct kd_error *err);
void kd_lock_give(int lock); /* -1 is fine */

/* False when nobody owns the file; else text is "pid 12 on host ada, `katydid run sweep.yaml`". */
bool kd_lock_owner(const char *path, char *text, int size);

#endif
