/* exchange_collective.c - on the GPUs, by NCCL. Sums of gradients lie on a queue of their own: each
 * waits, on the GPU, until its stretch is complete, and runs beside what is left of the backward
 * pass; the ops after them wait for all of them. The host waits for nothing, so that all of it can
 * be recorded with the ops before and behind (kernels/replay.h). */
#include "trainer/comm/exchange_way.h"

/* Sums go before the backward pass that they lie beside: who waits for them are the other ranks
 * too. */
static int open_queue(struct kd_exchange *exchange, struct kd_error *err)
{
    return exchange->device->open_urgent(exchange->comm->local_rank, &exchange->sums, err);
}

static void close_queue(struct kd_exchange *exchange)
{
    exchange->device->close(exchange->sums);
}

static float *alloc(struct kd_exchange *exchange, int64_t n)
{
    return exchange->device->alloc((size_t)n * sizeof(float));
}

static void free_floats(struct kd_exchange *exchange, float *all)
{
    exchange->device->free(all);
}

/* What `queue` is given next begins when `other` has done what it was given so far. */
static void follow(const struct kd_device *device, struct kd_queue *queue, struct kd_queue *other)
{
    device->mark(other, 0);
    device->wait_for(queue, other, 0);
}

static void start_sum(struct kd_exchange *exchange, const struct kd_stretch *stretch)
{
    const struct kd_collectives *calls = exchange->device->collectives;
    struct kd_collective *collective = exchange->gang->collective;
    follow(exchange->device, exchange->sums, exchange->queue);
    if (stretch->of_shares)
        calls->sum_of_shares(collective, exchange->sums, stretch->all, stretch->n_all, stretch->at,
                             stretch->n);
    else
        calls->sum_floats(collective, exchange->sums, stretch->all + stretch->at, stretch->n);
}

static void progress(struct kd_exchange *exchange)
{
    (void)exchange;
}

static void finish(struct kd_exchange *exchange)
{
    follow(exchange->device, exchange->queue, exchange->sums);
}

static void gather(struct kd_exchange *exchange, float *all, int64_t n)
{
    exchange->device->collectives->gather(exchange->gang->collective, exchange->queue, all, n);
}

static void sum_doubles(struct kd_exchange *exchange, double *values, int64_t n)
{
    exchange->device->collectives->sum_doubles(exchange->gang->collective, exchange->queue, values,
                                               n);
}

static void wait_for_queue(struct kd_exchange *exchange)
{
    kd_nccl_gang_wait(exchange->gang, exchange->queue, -1);
}

static void wait_mark(struct kd_exchange *exchange, int i)
{
    kd_nccl_gang_wait(exchange->gang, exchange->queue, i);
}

const struct kd_exchange_way kd_exchange_collective = {
    .is_queued = true,
    .open = open_queue,
    .close = close_queue,
    .alloc = alloc,
    .free = free_floats,
    .start_sum = start_sum,
    .progress = progress,
    .finish = finish,
    .gather = gather,
    .sum_doubles = sum_doubles,
    .wait = wait_for_queue,
    .wait_mark = wait_mark,
};
