/* exchange_staged.c - by way of the host: a stretch is copied to its arena's twin as soon as it is
 * complete, behind a mark in the queue; the host starts its sum when it comes to the mark, while
 * the device goes on with the backward pass.
 *
 * One rank alone needs no twins. */
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "trainer/comm/exchange_way.h"

/* ---- memory */

static struct kd_twin *twin_of(struct kd_exchange *exchange, const float *all)
{
    for (size_t i = 0; i < exchange->twins.n; i++)
        if (exchange->twins.items[i].device == all)
            return &exchange->twins.items[i];
    return NULL;
}

/* The twin's host memory, made now if need be: ranks come here alike. */
static float *host_of(struct kd_exchange *exchange, const float *all)
{
    struct kd_twin *twin = twin_of(exchange, all);
    kd_assert(twin != NULL);
    if (!twin->host) {
        twin->host = exchange->by->alloc_floats(exchange->comm, twin->n);
        exchange->device->pin(twin->host, (size_t)twin->n * sizeof(float));
    }
    return twin->host;
}

static float *alloc(struct kd_exchange *exchange, int64_t n)
{
    float *all = exchange->device->alloc((size_t)n * sizeof(float));
    if (exchange->by)
        kd_arr_push(&exchange->twins, ((struct kd_twin){.device = all, .n = n}));
    return all;
}

static void free_floats(struct kd_exchange *exchange, float *all)
{
    struct kd_twin *twin = twin_of(exchange, all);
    exchange->device->free(all);
    if (!twin)
        return;
    if (twin->host) {
        exchange->device->unpin(twin->host);
        exchange->by->free_floats(exchange->comm, twin->host);
    }
    *twin = exchange->twins.items[--exchange->twins.n];
}

/* ---- copies */

static void copy_to_host(struct kd_exchange *exchange, const float *all, int64_t begin, int64_t end)
{
    exchange->device->copy_out(exchange->queue, host_of(exchange, all) + begin, all + begin,
                               (size_t)(end - begin) * sizeof *all);
}

static void copy_to_device(struct kd_exchange *exchange, float *all, int64_t begin, int64_t end)
{
    exchange->device->copy_in(exchange->queue, all + begin, host_of(exchange, all) + begin,
                              (size_t)(end - begin) * sizeof *all);
}

/* ---- sums */

/* Of all stretches that are on their way to the host: the ranks come here at the same places. */
static void start_all(struct kd_exchange *exchange)
{
    while (exchange->n_started < exchange->stretches.n) {
        const struct kd_stretch *stretch = &exchange->stretches.items[exchange->n_started];
        exchange->device->wait_mark(exchange->queue,
                                    (int)(exchange->n_started % KD_EXCHANGE_MARKS));
        kd_exchange_start_by_backend(exchange, stretch, host_of(exchange, stretch->all));
        exchange->by->progress(exchange->comm);
    }
}

static void start_sum(struct kd_exchange *exchange, const struct kd_stretch *stretch)
{
    size_t number = exchange->stretches.n - 1;
    copy_to_host(exchange, stretch->all, stretch->at, stretch->at + stretch->n);
    exchange->device->mark(exchange->queue, (int)(number % KD_EXCHANGE_MARKS));
    if (exchange->stretches.n - exchange->n_started == KD_EXCHANGE_MARKS)
        start_all(exchange); /* else the next mark would be set anew before anybody waited for it */
}

/* What this rank has the sums of. */
static void return_sums(struct kd_exchange *exchange, const struct kd_stretch *stretch)
{
    int64_t begin = 0, end = stretch->n_all;
    if (stretch->of_shares)
        kd_comm_share(exchange->comm, stretch->n_all, &begin, &end);
    kd_comm_cut(stretch->at, stretch->n, &begin, &end);
    copy_to_device(exchange, stretch->all, stretch->at + begin, stretch->at + end);
}

static void finish(struct kd_exchange *exchange)
{
    start_all(exchange);
    exchange->by->finish_sums(exchange->comm);
    for (size_t i = 0; i < exchange->stretches.n; i++)
        return_sums(exchange, &exchange->stretches.items[i]);
}

/* ---- at once */

static void gather(struct kd_exchange *exchange, float *all, int64_t n)
{
    int64_t begin, end;
    kd_comm_share(exchange->comm, n, &begin, &end);
    copy_to_host(exchange, all, begin, end);
    exchange->device->wait(exchange->queue);
    exchange->by->gather_floats(exchange->comm, host_of(exchange, all), n);
    copy_to_device(exchange, all, 0, begin);
    copy_to_device(exchange, all, end, n);
}

static void sum_doubles(struct kd_exchange *exchange, double *values, int64_t n)
{
    size_t bytes = (size_t)n * sizeof *values;
    double *host = KD_NEW_ARRAY(double, (size_t)n);
    exchange->device->copy_out(exchange->queue, host, values, bytes);
    exchange->device->wait(exchange->queue);
    exchange->by->sum_doubles(exchange->comm, host, n);
    exchange->device->copy_in(exchange->queue, values, host, bytes);
    free(host); /* it is not pinned, so it has been read */
}

const struct kd_exchange_way kd_exchange_staged = {
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
