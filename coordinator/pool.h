/* pool.h - which slots are free and which gang holds them.
 *
 * Slots never move; a gang takes all it needs or nothing, so that two half-started trials cannot
 * starve each other. Knows no processes and no machine: what there is comes from launch/, what is
 * needed from the spec. Pure.
 *
 * A slot for a GPU is a whole GPU or a MIG instance; a gang gets only one kind. */
#ifndef KD_POOL_H
#define KD_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/links.h"

enum {
    KD_POOL_MAX_GPUS = KD_LINKS_MAX,
    KD_POOL_MAX_CPUS = 1024,
    KD_CORE = 1000 /* parts of one core */
};

struct kd_pool {
    int n_gpus, n_cpus;
    int64_t gpu_gang[KD_POOL_MAX_GPUS]; /* 0 = free */
    bool is_drained[KD_POOL_MAX_GPUS];  /* of no more use: no gang gets it */
    struct kd_links links;              /* between the GPUs */
    int cpu_free[KD_POOL_MAX_CPUS];     /* parts of the core that are free, 0 .. KD_CORE */
    int64_t memory, memory_free;        /* bytes of the host, and of them promised to nobody */
};

struct kd_need {
    int gpus;
    int cpu_parts;      /* 500 = half a core (shared), 2000 = two whole cores */
    bool oversubscribe; /* cores may be shared beyond their parts */
    int64_t memory;     /* bytes; 0 = not said */
};

/* What a gang holds: positions in the machine's lists of GPUs and cores. */
struct kd_slots {
    int n_gpus, n_cpus;
    int gpus[KD_POOL_MAX_GPUS];
    int cpus[KD_POOL_MAX_CPUS];
    int cpu_parts; /* taken of each core */
    int64_t memory;
};

/* links: between the GPUs; NULL = all alike. */
void kd_pool_init(struct kd_pool *pool, int n_gpus, int n_cpus, int64_t memory,
                  const struct kd_links *links);

/* Everything or nothing. The best connected free GPUs (placement.h), the lowest free cores; for a
 * part of a core the fullest core that still holds it. */
bool kd_pool_take(struct kd_pool *pool, const struct kd_need *need, int64_t gang,
                  struct kd_slots *slots);
void kd_pool_give(struct kd_pool *pool, const struct kd_slots *slots);

/* No gang gets this GPU any more; one that has it keeps it until it gives it back. */
void kd_pool_drain(struct kd_pool *pool, int gpu);
int kd_pool_usable_gpus(const struct kd_pool *pool); /* that are not drained */

/* How many gangs of this need the empty machine holds, on the GPUs that are of use. */
int kd_pool_capacity(const struct kd_pool *pool, const struct kd_need *need);

#endif
