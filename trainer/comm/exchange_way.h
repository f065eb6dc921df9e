/* exchange_way.h - the inside of an exchange: what each way fills. Nobody but exchange*.c includes
 * this. */
#ifndef KD_TRAINER_EXCHANGE_WAY_H
#define KD_TRAINER_EXCHANGE_WAY_H

#include "trainer/comm/exchange.h"

struct kd_exchange_way {
    /* Of its sums and gathers all is on the device's queues, and nothing is the host's. */
    bool is_queued;
    int (*open)(struct kd_exchange *exchange, struct kd_error *err); /* NULL: nothing to do */
    void (*close)(struct kd_exchange *exchange);                     /* likewise */
    float *(*alloc)(struct kd_exchange *exchange, int64_t n);
    void (*free)(struct kd_exchange *exchange, float *all);
    /* The stretch is the last one of exchange->stretches. */
    void (*start_sum)(struct kd_exchange *exchange, const struct kd_stretch *stretch);
    void (*progress)(struct kd_exchange *exchange);
    void (*finish)(struct kd_exchange *exchange); /* there is at least one stretch */
    void (*gather)(struct kd_exchange *exchange, float *all, int64_t n);
    void (*sum_doubles)(struct kd_exchange *exchange, double *values, int64_t n);
    void (*wait)(struct kd_exchange *exchange);
    void (*wait_mark)(struct kd_exchange *exchange, int i);
};

extern const struct kd_exchange_way kd_exchange_in_place, kd_exchange_staged,
    kd_exchange_collective;

/* Begins a stretch's sums by the backend, on memory that it works on: `all` is the arena's, or its
 * twin's. */
void kd_exchange_start_by_backend(struct kd_exchange *exchange, const struct kd_stretch *stretch,
                                  float *all);

/* What several ways do alike. */
void kd_exchange_progress_by_backend(struct kd_exchange *exchange);
void kd_exchange_wait_by_device(struct kd_exchange *exchange);
void kd_exchange_wait_mark_by_device(struct kd_exchange *exchange, int i);

#endif
