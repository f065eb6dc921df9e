/* fsck.h - does the file hold what it must hold? One SQL query per invariant, in invariants.def.
 * Changes nothing. */
#ifndef KD_STORE_FSCK_H
#define KD_STORE_FSCK_H

#include "coordinator/base/error.h"
#include "coordinator/store/store.h"

struct kd_invariant {
    const char *name, *sentence, *sql;
};

/* NULL name at the end. */
extern const struct kd_invariant kd_invariants[];

/* Called for each invariant with how often it is broken, 0 = it holds; details are the first few
 * places, one a line. */
typedef void (*kd_fsck_fn)(void *ud, const struct kd_invariant *invariant, int n_broken,
                           const char *details);

/* How many invariants are broken, or -1 when the file cannot be checked. One moment of the file; a
 * live owner may go on writing. */
int kd_fsck(struct kd_store *store, kd_fsck_fn fn, void *ud, struct kd_error *err);

#endif
