#include "trainer/comm/exchange.h"

#include "trainer/comm/exchange_way.h"

static const struct kd_exchange_way *choose(const struct kd_exchange *exchange)
{
    if (exchange->by && exchange->gang)
        return &kd_exchange_collective;
    return exchange->device->is_host ? &kd_exchange_in_place : &kd_exchange_staged;
}

int kd_exchange_init(struct kd_exchange *exchange, struct kd_comm *comm,
                     const struct kd_device *device, struct kd_queue *queue,
                     struct kd_nccl_gang *gang, struct kd_error *err)
{
    *exchange = (struct kd_exchange){.comm = comm, .device = device, .queue = queue, .gang = gang};
    exchange->by = comm && comm->size > 1 ? comm->backend : NULL;
    exchange->way = choose(exchange);
    return exchange->way->open ? exchange->way->open(exchange, err) : 0;
}

void kd_exchange_release(struct kd_exchange *exchange)
{
    if (exchange->way && exchange->way->close)
        exchange->way->close(exchange);
    kd_arr_release(&exchange->stretches);
    kd_arr_release(&exchange->twins);
}

bool kd_exchange_is_queued(const struct kd_exchange *exchange)
{
    return !exchange->by || exchange->way->is_queued;
}

float *kd_exchange_alloc(struct kd_exchange *exchange, int64_t n)
{
    return exchange->way->alloc(exchange, n);
}

void kd_exchange_free(struct kd_exchange *exchange, float *all)
{
    if (all)
        exchange->way->free(exchange, all);
}

void kd_exchange_start_sum(struct kd_exchange *exchange, struct kd_stretch stretch)
{
    kd_arr_push(&exchange->stretches, stretch);
    exchange->way->start_sum(exchange, &stretch);
}

void kd_exchange_progress(struct kd_exchange *exchange)
{
    if (exchange->n_started > 0)
        exchange->way->progress(exchange);
}

void kd_exchange_finish(struct kd_exchange *exchange)
{
    if (exchange->stretches.n == 0)
        return;
    exchange->way->finish(exchange);
    kd_arr_clear(&exchange->stretches);
    exchange->n_started = 0;
}

void kd_exchange_gather(struct kd_exchange *exchange, float *all, int64_t n)
{
    exchange->way->gather(exchange, all, n);
}

void kd_exchange_sum_doubles(struct kd_exchange *exchange, double *values, int64_t n)
{
    exchange->way->sum_doubles(exchange, values, n);
}

void kd_exchange_wait(struct kd_exchange *exchange)
{
    exchange->way->wait(exchange);
}

void kd_exchange_wait_mark(struct kd_exchange *exchange, int i)
{
    exchange->way->wait_mark(exchange, i);
}

void kd_exchange_start_by_backend(struct kd_exchange *exchange, const struct kd_stretch *stretch,
                                  float *all)
{
    if (stretch->of_shares)
        exchange->by->start_sum_of_shares(exchange->comm, all, stretch->n_all, stretch->at,
                                          stretch->n);
    else
        exchange->by->start_sum(exchange->comm, all + stretch->at, stretch->n);
    exchange->n_started++;
}

void kd_exchange_progress_by_backend(struct kd_exchange *exchange)
{
    exchange->by->progress(exchange->comm);
}

void kd_exchange_wait_by_device(struct kd_exchange *exchange)
{
    exchange->device->wait(exchange->queue);
}

void kd_exchange_wait_mark_by_device(struct kd_exchange *exchange, int i)
{
    exchange->device->wait_mark(exchange->queue, i);
}
