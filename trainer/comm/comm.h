/* comm.h - the ranks of a gang and what they do together: sums, broadcasts, waiting.
 *
 * One backend = one vtable in one file, one line in backends.def. All calls are collective: every
 * rank makes them in the same order. One thread uses a communicator.
 *
 * The ranks come together by the launcher's backend (mpi, or self where there is no launcher),
 * which stays open below the one whose calls are made. So a backend that cannot find the ranks by
 * itself leaves that, and rare calls, to it. */
#ifndef KD_TRAINER_COMM_H
#define KD_TRAINER_COMM_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

#define KD_COMM_DEADLINE "KATYDID_COMM_DEADLINE" /* environment: seconds; 600 without it */

struct kd_comm_backend;

enum kd_comm_id {
#define KD_COMM_BACKEND(name, constant) constant,
#include "trainer/comm/backends.def"
#undef KD_COMM_BACKEND
    KD_N_COMM_BACKENDS
};

struct kd_comm {
    const struct kd_comm_backend *backend;  /* whose calls are made; kd_comm_choose changes it */
    const struct kd_comm_backend *launcher; /* by which the ranks came together */
    int rank, size;
    int local_rank;    /* among the ranks of this host */
    double deadline_s; /* of a wait for another rank, where the backend can tell */
    bool is_open[KD_N_COMM_BACKENDS];
    void *own[KD_N_COMM_BACKENDS]; /* each backend's own, while it is open */
    /* A thread hangs in a library: the process ends without exit(), which might wait for it. */
    bool leaves_a_thread;
};

struct kd_comm_backend {
    const char *name, *summary;
    /* Ranks read each other's: a share's sum and its result given to all cost no more than a sum
     * for all. */
    bool shares_memory;
    bool (*is_wanted)(void); /* did its launcher start this process? NULL: it has no launcher */
    /* A launcher's backend sets rank, size and local_rank; another one finds them set, and its
     * launcher's backend open. -1 on all ranks or on none, with the text on each. */
    int (*open)(struct kd_comm *comm, struct kd_error *err);
    void (*close)(struct kd_comm *comm);

    /* Memory that the backend likes to sum: n floats, zeroed, 64-byte aligned, never NULL. Freed by
     * the same backend (NULL is fine) before it is closed. Not collective, but the ranks do it
     * alike: those copies belong together which the ranks have when the first sum in them
     * starts. */
    float *(*alloc_floats)(struct kd_comm *comm, int64_t n);
    void (*free_floats)(struct kd_comm *comm, float *values);

    /* Element-wise sums over the ranks, in place; every rank ends with the same bits, and with the
     * same bits each time. start_sum begins one and may return before it is done: the values belong
     * to the backend until finish_sums, which returns when all sums that were started are done.
     * Stretches under way must not overlap. In between, progress lets them advance; it costs next
     * to nothing when there is nothing to do, so it is called after each op. The values of
     * start_sum are a stretch of one allocation of alloc_floats, at the same place on every rank,
     * or other memory on every rank (slower). Other calls may come between start_sum and
     * finish_sums. */
    void (*start_sum)(struct kd_comm *comm, float *values, int64_t n);
    /* The same for all[at .. at + n), except that each rank gets the sums of its share
     * (kd_comm_share) of all[0 .. n_all) only; in the other shares' parts of the stretch anything
     * may stand afterwards. all is a whole allocation of alloc_floats, or other memory on every
     * rank. */
    void (*start_sum_of_shares)(struct kd_comm *comm, float *all, int64_t n_all, int64_t at,
                                int64_t n);
    void (*progress)(struct kd_comm *comm);
    void (*finish_sums)(struct kd_comm *comm);
    void (*sum_floats)(struct kd_comm *comm, float *values, int64_t n);
    void (*sum_doubles)(struct kd_comm *comm, double *values, int64_t n);

    /* values[0..n) in place: each rank's own part, kd_comm_share of n, goes to all ranks. Memory as
     * for start_sum. */
    void (*gather_floats)(struct kd_comm *comm, float *values, int64_t n);

    void (*broadcast)(struct kd_comm *comm, int root, void *bytes, int64_t n);
    /* A broadcast from rank 0 that may be long in coming: who waits sleeps, 50 us at first,
     * doubling to 1 ms. */
    void (*wait_broadcast)(struct kd_comm *comm, void *bytes, int64_t n);
    void (*barrier)(struct kd_comm *comm);

    /* The largest of the ranks' values to all of them: begun, and there when has_largest says so,
     * which does not wait. One at a time; *value is the backend's until then. NULL: not by this
     * one. */
    void (*start_largest)(struct kd_comm *comm, int *value);
    bool (*has_largest)(struct kd_comm *comm);
};

extern const struct kd_comm_backend *const kd_comm_backends[]; /* NULL-terminated */

/* Opens the launcher's backend, and on top of it what "auto" says. */
int kd_comm_open(struct kd_comm *comm, struct kd_error *err);
void kd_comm_close(struct kd_comm *comm);

/* From now on `name` makes the calls: a backend, or "auto", the first of backends.def that opens.
 * No sums may be under way; what the one before has allocated is freed by that one, any time before
 * kd_comm_close. */
int kd_comm_choose(struct kd_comm *comm, const char *name, struct kd_error *err);

/* True on every rank when `failed` on any; then err holds the text of the lowest failing rank on
 * all of them. */
bool kd_comm_any_failed(struct kd_comm *comm, bool failed, struct kd_error *err);

/* Rank 0's text to all ranks, asleep until it comes; NULL on the others going in. The caller frees
 * what comes out. */
char *kd_comm_wait_text(struct kd_comm *comm, const char *text);

/* This rank's share of n things: [*begin, *end). */
void kd_comm_share(const struct kd_comm *comm, int64_t n, int64_t *begin, int64_t *end);

/* The same for any of `size` ranks. */
void kd_comm_share_of(int rank, int size, int64_t n, int64_t *begin, int64_t *end);

/* For backends that work by pieces: what of the share [*begin, *end) lies in the n things from
 * number `at` on, counted from there: 0 <= *begin <= *end <= n. */
void kd_comm_cut(int64_t at, int64_t n, int64_t *begin, int64_t *end);

/* alloc_floats and free_floats of backends that like any memory. */
float *kd_comm_alloc_plain(struct kd_comm *comm, int64_t n);
void kd_comm_free_plain(struct kd_comm *comm, float *values);

#endif
