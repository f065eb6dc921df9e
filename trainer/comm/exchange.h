/* exchange.h - what ranks sum and gather of a device's memory.
 *
 *     in place     memory of the host (the CPU): the ranks' backend works on it where it is
 *     staged       a device's own memory: device -> twin on the host -> the backend -> device; for
 *                  ranks that share a GPU, and for hosts without NCCL
 *     collective   a GPU for each rank: NCCL, on the GPUs (nccl.h)
 *
 * Each way is one file, exchange_<way>.c. All calls but alloc and free are collective, as comm.h
 * says. One rank alone makes none of them but those and wait. */
#ifndef KD_TRAINER_EXCHANGE_H
#define KD_TRAINER_EXCHANGE_H

#include "coordinator/base/arr.h"
#include "kernels/device.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/nccl.h"

enum { KD_EXCHANGE_MARKS = 16 };

struct kd_exchange_way;

/* An arena of the device and its likeness on the host. */
struct kd_twin {
    float *device, *host; /* host: NULL until it is needed */
    int64_t n;
};

/* A stretch that is being summed: all[at .. at + n), all of n_all floats. */
struct kd_stretch {
    float *all; /* on the device */
    int64_t n_all, at, n;
    bool of_shares; /* each rank gets the sums of its share of all only (kd_comm_share) */
};

struct kd_exchange {
    const struct kd_exchange_way *way;
    struct kd_comm *comm; /* borrowed; NULL: this rank alone */
    const struct kd_device *device;
    struct kd_queue *queue;           /* borrowed */
    const struct kd_comm_backend *by; /* whose memory the arenas or their twins are; NULL: alone */
    KD_ARR(struct kd_stretch) stretches; /* since the last finish */
    size_t n_started;                    /* of them, sums that the backend has begun */

    KD_ARR(struct kd_twin) twins; /* staged */

    struct kd_nccl_gang *gang; /* collective; borrowed */
    struct kd_queue *sums;     /* and the queue on which it sums, beside the backward pass */
};

/* With the backend that makes the calls now; it must stay open until the release. gang: NULL, or
 * what sums on the GPUs. */
int kd_exchange_init(struct kd_exchange *exchange, struct kd_comm *comm,
                     const struct kd_device *device, struct kd_queue *queue,
                     struct kd_nccl_gang *gang, struct kd_error *err);
void kd_exchange_release(struct kd_exchange *exchange); /* after all it allocated was freed */

/* Are sums and gathers the queue's alone? Then a recording of it (kernels/device.h) may have them,
 * from the first start_sum to finish. So it is with a rank alone, which has none. */
bool kd_exchange_is_queued(const struct kd_exchange *exchange);

/* Zeroed memory of the device, n floats, that can be summed and gathered. */
float *kd_exchange_alloc(struct kd_exchange *exchange, int64_t n);
void kd_exchange_free(struct kd_exchange *exchange, float *all); /* NULL is fine */

/* Begins the sums over the ranks of a stretch of kd_exchange_alloc's memory, in place, of what the
 * queue has been given so far. It belongs to the exchange until kd_exchange_finish, after which ops
 * of the queue see the sums. */
void kd_exchange_start_sum(struct kd_exchange *exchange, struct kd_stretch stretch);
/* Lets sums advance: after each op; costs next to nothing when none is under way. */
void kd_exchange_progress(struct kd_exchange *exchange);
void kd_exchange_finish(struct kd_exchange *exchange);

/* Each rank's own share of all[0 .. n) goes to all ranks. */
void kd_exchange_gather(struct kd_exchange *exchange, float *all, int64_t n);

/* Sums of a few numbers in the device's memory, for the ops that the queue is given next. */
void kd_exchange_sum_doubles(struct kd_exchange *exchange, double *values, int64_t n);

/* Until all that the queue was given is done. A failure of the GPUs' sums ends the process, to be
 * started anew from the last checkpoint. */
void kd_exchange_wait(struct kd_exchange *exchange);

/* Until all that it was given before mark i is done, which is one of KD_EXCHANGE_MARKS and above;
 * the others are the exchange's own. */
void kd_exchange_wait_mark(struct kd_exchange *exchange, int i);

#endif
