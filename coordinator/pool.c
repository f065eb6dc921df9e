#include "coordinator/pool.h"

#include "coordinator/base/error.h"
#include "coordinator/placement.h"

void kd_pool_init(struct kd_pool *pool, int n_gpus, int n_cpus, int64_t memory,
                  const struct kd_links *links)
{
    kd_assert(n_gpus >= 0 && n_gpus <= KD_POOL_MAX_GPUS);
    kd_assert(n_cpus >= 1 && n_cpus <= KD_POOL_MAX_CPUS);
    *pool = (struct kd_pool){
        .n_gpus = n_gpus, .n_cpus = n_cpus, .memory = memory, .memory_free = memory};
    for (int i = 0; i < n_cpus; i++)
        pool->cpu_free[i] = KD_CORE;
    if (links != NULL)
        pool->links = *links;
}

static int whole_cores(const struct kd_need *need)
{
    return (need->cpu_parts + KD_CORE - 1) / KD_CORE;
}

static bool pick_gpus(const struct kd_pool *pool, int wanted, struct kd_slots *slots)
{
    bool is_free[KD_POOL_MAX_GPUS];
    for (int i = 0; i < pool->n_gpus; i++)
        is_free[i] = pool->gpu_gang[i] == 0 && !pool->is_drained[i];
    if (!kd_placement_pick(&pool->links, is_free, pool->n_gpus, wanted, slots->gpus))
        return false;
    slots->n_gpus = wanted;
    return true;
}

/* The fullest core that still has the parts, so that whole cores stay free for those who need
 * them. */
static bool pick_shared_core(const struct kd_pool *pool, int parts, struct kd_slots *slots)
{
    int best = -1;
    for (int i = 0; i < pool->n_cpus; i++)
        if (pool->cpu_free[i] >= parts && (best < 0 || pool->cpu_free[i] < pool->cpu_free[best]))
            best = i;
    if (best < 0)
        return false;
    slots->cpus[slots->n_cpus++] = best;
    return true;
}

static bool pick_whole_cores(const struct kd_pool *pool, int wanted, struct kd_slots *slots)
{
    for (int i = 0; i < pool->n_cpus && slots->n_cpus < wanted; i++)
        if (pool->cpu_free[i] == KD_CORE)
            slots->cpus[slots->n_cpus++] = i;
    return slots->n_cpus == wanted;
}

/* The least loaded cores, however loaded they are. */
static bool pick_any_cores(const struct kd_pool *pool, int wanted, struct kd_slots *slots)
{
    bool taken[KD_POOL_MAX_CPUS] = {false};
    while (slots->n_cpus < wanted && slots->n_cpus < pool->n_cpus) {
        int best = -1;
        for (int i = 0; i < pool->n_cpus; i++)
            if (!taken[i] && (best < 0 || pool->cpu_free[i] > pool->cpu_free[best]))
                best = i;
        taken[best] = true;
        slots->cpus[slots->n_cpus++] = best;
    }
    return true;
}

bool kd_pool_take(struct kd_pool *pool, const struct kd_need *need, int64_t gang,
                  struct kd_slots *slots)
{
    *slots = (struct kd_slots){.cpu_parts = need->cpu_parts < KD_CORE ? need->cpu_parts : KD_CORE,
                               .memory = need->memory};
    if (need->memory > pool->memory_free || !pick_gpus(pool, need->gpus, slots))
        return false;
    bool found = need->oversubscribe         ? pick_any_cores(pool, whole_cores(need), slots)
                 : need->cpu_parts < KD_CORE ? pick_shared_core(pool, need->cpu_parts, slots)
                                             : pick_whole_cores(pool, whole_cores(need), slots);
    if (!found)
        return false;
    for (int i = 0; i < slots->n_gpus; i++)
        pool->gpu_gang[slots->gpus[i]] = gang;
    for (int i = 0; i < slots->n_cpus; i++)
        pool->cpu_free[slots->cpus[i]] -= slots->cpu_parts;
    pool->memory_free -= slots->memory;
    return true;
}

void kd_pool_give(struct kd_pool *pool, const struct kd_slots *slots)
{
    for (int i = 0; i < slots->n_gpus; i++)
        pool->gpu_gang[slots->gpus[i]] = 0;
    for (int i = 0; i < slots->n_cpus; i++)
        pool->cpu_free[slots->cpus[i]] += slots->cpu_parts;
    pool->memory_free += slots->memory;
}

void kd_pool_drain(struct kd_pool *pool, int gpu)
{
    kd_assert(gpu >= 0 && gpu < pool->n_gpus);
    pool->is_drained[gpu] = true;
}

int kd_pool_usable_gpus(const struct kd_pool *pool)
{
    int n = 0;
    for (int i = 0; i < pool->n_gpus; i++)
        n += !pool->is_drained[i];
    return n;
}

/* Each kind of GPU by itself. */
static int capacity_by_gpus(const struct kd_pool *pool, int wanted)
{
    int n_of_kind[KD_POOL_MAX_GPUS] = {0}, capacity = 0;
    if (wanted == 0)
        return KD_POOL_MAX_CPUS;
    for (int i = 0; i < pool->n_gpus; i++)
        n_of_kind[kd_links_kind(&pool->links, i)] += !pool->is_drained[i];
    for (int i = 0; i < pool->n_gpus; i++)
        capacity += n_of_kind[i] / wanted;
    return capacity;
}

int kd_pool_capacity(const struct kd_pool *pool, const struct kd_need *need)
{
    int by_gpu = capacity_by_gpus(pool, need->gpus);
    int by_cpu = need->cpu_parts < KD_CORE && need->cpu_parts > 0
                     ? pool->n_cpus * (KD_CORE / need->cpu_parts)
                     : pool->n_cpus / (whole_cores(need) > 0 ? whole_cores(need) : 1);
    if (need->oversubscribe && by_cpu < 1)
        by_cpu = 1;
    int capacity = by_gpu < by_cpu ? by_gpu : by_cpu;
    if (need->memory > 0 && pool->memory / need->memory < capacity)
        capacity = (int)(pool->memory / need->memory);
    return capacity;
}
