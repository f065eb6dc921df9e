/* comm.h - the ranks of a gang and what they do together: sums, broadcasts, waiting.
 *
 * One backend = one vtable in one file, one line in backends.def. All calls are collective: every rank makes them in the
 * same order. One thread uses a communicator. */
#ifndef KD_TRAINER_COMM_H
#define KD_TRAINER_COMM_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

struct kd_comm_backend;

struct kd_comm {
    const struct kd_comm_backend *backend;
    int rank, size;
};

struct kd_comm_backend {
    const char *name, *summary;
    bool (*is_wanted)(
        void); /* by the environment that a launcher left; the first that is wanted is taken */
    int (*open)(struct kd_comm *comm, struct kd_error *err);
    void (*close)(struct kd_comm *comm);
    /* Element-wise sums over the ranks, in place; every rank ends with the same bits. */
    void (*sum_floats)(struct kd_comm *comm, float *values, int64_t n);
    void (*sum_doubles)(struct kd_comm *comm, double *values, int64_t n);
    void (*broadcast)(struct kd_comm *comm, int root, void *bytes, int64_t n);
    /* A broadcast from rank 0 that may be long in coming: who waits sleeps, 50 us at first, doubling to 1 ms. */
    void (*wait_broadcast)(struct kd_comm *comm, void *bytes, int64_t n);
    void (*barrier)(struct kd_comm *comm);
};

extern const struct kd_comm_backend *const kd_comm_backends[]; /* NULL-terminated */

int kd_comm_open(struct kd_comm *comm, struct kd_error *err);
void kd_comm_close(struct kd_comm *comm);

/* True on every rank when `failed` on any; then err holds the text of the lowest failing rank on all of them. */
bool kd_comm_any_failed(struct kd_comm *comm, bool failed, struct kd_error *err);

/* Rank 0's text to all ranks, asleep until it comes; NULL on the others going in. The caller frees what comes out. */
char *kd_comm_wait_text(struct kd_comm *comm, const char *text);

/* This rank's share of n things: [*begin, *end). */
void kd_comm_share(const struct kd_comm *comm, int64_t n, int64_t *begin, int64_t *end);

#endif
