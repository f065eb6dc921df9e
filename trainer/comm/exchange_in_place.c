/* exchange_in_place.c - memory that the ranks' backend can work on: the CPU's. */
#include "trainer/comm/exchange_way.h"

static float *alloc(struct kd_exchange *exchange, int64_t n)
{
    return exchange->by ? exchange->by->alloc_floats(exchange->comm, n)
                        : exchange->device->alloc((size_t)n * sizeof(float));
}

static void free_floats(struct kd_exchange *exchange, float *all)
{
    if (exchange->by)
        exchange->by->free_floats(exchange->comm, all);
    else
        exchange->device->free(all);
}

static void start_sum(struct kd_exchange *exchange, const struct kd_stretch *stretch)
{
    kd_exchange_start_by_backend(exchange, stretch, stretch->all);
}

static void finish(struct kd_exchange *exchange)
{
    exchange->by->finish_sums(exchange->comm);
}

static void gather(struct kd_exchange *exchange, float *all, int64_t n)
{
    exchange->by->gather_floats(exchange->comm, all, n);
}

static void sum_doubles(struct kd_exchange *exchange, double *values, int64_t n)
{
    exchange->by->sum_doubles(exchange->comm, values, n);
}

const struct kd_exchange_way kd_exchange_in_place = {
    .alloc = alloc,
    .free = free_floats,
    .start_sum = start_sum,
    .progress = kd_exchange_progress_by_backend,
    .finish = finish,
    .gather = gather,
    .sum_doubles = sum_doubles,
    .wait = kd_exchange_wait_by_device,
    .wait_mark = kd_exchange_wait_mark_by_device,
};
