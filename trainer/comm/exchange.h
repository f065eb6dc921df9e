/* exchange.h - what ranks sum and gather of a device's memory, by the backend that makes their calls.
 *
 *     memory of the host (the CPU):   the backend works on it in place
 *     a device's own memory:          device -> twin on the host -> the backend -> device
 *
 * The second way ("staged") is for ranks that share a GPU, and for hosts without NCCL. A stretch of gradients is copied to its
 * twin as soon as it is complete, behind a mark in the queue; the host starts its sum when it comes to the mark, while the
 * device goes on with the backward pass.
 *
 * All calls but alloc and free are collective, as comm.h says. One rank alone makes none of them. */
#ifndef KD_TRAINER_EXCHANGE_H
#define KD_TRAINER_EXCHANGE_H

#include "coordinator/base/arr.h"
#include "kernels/device.h"
#include "trainer/comm/comm.h"

/* An arena of the device and its likeness on the host. */
struct kd_twin {
    float *device, *host; /* host: NULL until it is needed */
    int64_t n;
};

/* A stretch that is being summed. */
struct kd_stretch {
    float *all; /* on the device */
    int64_t n_all, at, n;
    bool of_shares;
};

struct kd_exchange {
    struct kd_comm *comm; /* borrowed; NULL: this rank alone */
    const struct kd_device *device;
    struct kd_queue *queue;           /* borrowed */
    const struct kd_comm_backend *by; /* whose memory the arenas or their twins are */
    KD_ARR(struct kd_twin) twins;
    KD_ARR(struct kd_stretch) stretches; /* since the last finish */
    size_t n_started;                    /* of them, sums that the backend has begun */
};

/* With the backend that makes the calls now; it must stay open until the release. */
void kd_exchange_init(struct kd_exchange *exchange, struct kd_comm *comm,
                      const struct kd_device *device, struct kd_queue *queue);
void kd_exchange_release(struct kd_exchange *exchange); /* after all it allocated was freed */

/* Zeroed memory of the device, n floats, that can be summed and gathered. */
float *kd_exchange_alloc(struct kd_exchange *exchange, int64_t n);
void kd_exchange_free(struct kd_exchange *exchange, float *all); /* NULL is fine */

/* Begins the sums over the ranks of all[at .. at + n), in place, of what the queue has been given so far; all is n_all floats of
 * kd_exchange_alloc. of_shares: each rank gets the sums of its share of all only (kd_comm_share). They belong to the exchange
 * until kd_exchange_finish, after which ops of the queue see the sums. */
void kd_exchange_start_sum(struct kd_exchange *exchange, float *all, int64_t n_all, int64_t at,
                           int64_t n, bool of_shares);
/* Lets sums advance: after each op; costs next to nothing when none is under way. */
void kd_exchange_progress(struct kd_exchange *exchange);
void kd_exchange_finish(struct kd_exchange *exchange);

/* Each rank's own share of all[0 .. n) goes to all ranks. */
void kd_exchange_gather(struct kd_exchange *exchange, float *all, int64_t n);

/* Sums of a few numbers in the device's memory, at once. */
void kd_exchange_sum_doubles(struct kd_exchange *exchange, double *values, int64_t n);

#endif
