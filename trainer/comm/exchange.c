#include "trainer/comm/exchange.h"

#include <stdlib.h>

#include "coordinator/base/mem.h"

static bool has_ranks(const struct kd_exchange *exchange)
{
    return exchange->comm && exchange->comm->size > 1;
}

static bool is_staged(const struct kd_exchange *exchange)
{
    return !exchange->device->is_host;
}

void kd_exchange_init(struct kd_exchange *exchange, struct kd_comm *comm,
                      const struct kd_device *device, struct kd_queue *queue)
{
    *exchange = (struct kd_exchange){.comm = comm, .device = device, .queue = queue};
    exchange->by = has_ranks(exchange) ? comm->backend : NULL;
}

void kd_exchange_release(struct kd_exchange *exchange)
{
    kd_arr_release(&exchange->twins);
    kd_arr_release(&exchange->stretches);
}

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

float *kd_exchange_alloc(struct kd_exchange *exchange, int64_t n)
{
    if (exchange->by && !is_staged(exchange))
        return exchange->by->alloc_floats(exchange->comm, n);
    float *all = exchange->device->alloc((size_t)n * sizeof(float));
    if (exchange->by)
        kd_arr_push(&exchange->twins, ((struct kd_twin){.device = all, .n = n}));
    return all;
}

static void free_twin(struct kd_exchange *exchange, struct kd_twin *twin)
{
    if (twin->host)
        exchange->device->unpin(twin->host);
    exchange->by->free_floats(exchange->comm, twin->host);
    exchange->device->free(twin->device);
    *twin = exchange->twins.items[--exchange->twins.n];
}

void kd_exchange_free(struct kd_exchange *exchange, float *all)
{
    struct kd_twin *twin = twin_of(exchange, all);
    if (!all)
        return;
    if (twin)
        free_twin(exchange, twin);
    else if (exchange->by)
        exchange->by->free_floats(exchange->comm, all);
    else
        exchange->device->free(all);
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

static void start(struct kd_exchange *exchange, const struct kd_stretch *stretch)
{
    float *all = is_staged(exchange) ? host_of(exchange, stretch->all) : stretch->all;
    if (stretch->of_shares)
        exchange->by->start_sum_of_shares(exchange->comm, all, stretch->n_all, stretch->at,
                                          stretch->n);
    else
        exchange->by->start_sum(exchange->comm, all + stretch->at, stretch->n);
}

/* The sums of all stretches that have been copied out or are on their way: the ranks come here at the same places. */
static void start_all(struct kd_exchange *exchange)
{
    for (; exchange->n_started < exchange->stretches.n; exchange->n_started++) {
        if (is_staged(exchange))
            exchange->device->wait_mark(exchange->queue, (int)(exchange->n_started % KD_MARKS));
        start(exchange, &exchange->stretches.items[exchange->n_started]);
        exchange->by->progress(exchange->comm);
    }
}

void kd_exchange_start_sum(struct kd_exchange *exchange, float *all, int64_t n_all, int64_t at,
                           int64_t n, bool of_shares)
{
    struct kd_stretch stretch = {all, n_all, at, n, of_shares};
    if (exchange->stretches.n - exchange->n_started == KD_MARKS)
        start_all(exchange); /* else a mark would be set anew that nobody waited for */
    if (is_staged(exchange)) {
        copy_to_host(exchange, all, at, at + n);
        exchange->device->mark(exchange->queue, (int)(exchange->stretches.n % KD_MARKS));
    }
    kd_arr_push(&exchange->stretches, stretch);
    if (!is_staged(exchange))
        start_all(exchange);
}

void kd_exchange_progress(struct kd_exchange *exchange)
{
    if (exchange->n_started > 0)
        exchange->by->progress(exchange->comm);
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

void kd_exchange_finish(struct kd_exchange *exchange)
{
    if (exchange->stretches.n == 0)
        return;
    start_all(exchange);
    exchange->by->finish_sums(exchange->comm);
    for (size_t i = 0; is_staged(exchange) && i < exchange->stretches.n; i++)
        return_sums(exchange, &exchange->stretches.items[i]);
    kd_arr_clear(&exchange->stretches);
    exchange->n_started = 0;
}

/* ---- at once */

static void gather_staged(struct kd_exchange *exchange, float *all, int64_t n)
{
    int64_t begin, end;
    kd_comm_share(exchange->comm, n, &begin, &end);
    copy_to_host(exchange, all, begin, end);
    exchange->device->wait(exchange->queue);
    exchange->by->gather_floats(exchange->comm, host_of(exchange, all), n);
    copy_to_device(exchange, all, 0, begin);
    copy_to_device(exchange, all, end, n);
}

void kd_exchange_gather(struct kd_exchange *exchange, float *all, int64_t n)
{
    if (is_staged(exchange))
        gather_staged(exchange, all, n);
    else
        exchange->by->gather_floats(exchange->comm, all, n);
}

static void sum_doubles_staged(struct kd_exchange *exchange, double *values, int64_t n)
{
    size_t bytes = (size_t)n * sizeof *values;
    double *host = KD_NEW_ARRAY(double, (size_t)n);
    exchange->device->copy_out(exchange->queue, host, values, bytes);
    exchange->device->wait(exchange->queue);
    exchange->by->sum_doubles(exchange->comm, host, n);
    exchange->device->copy_in(exchange->queue, values, host, bytes);
    free(host); /* it is not pinned, so it has been read */
}

void kd_exchange_sum_doubles(struct kd_exchange *exchange, double *values, int64_t n)
{
    if (is_staged(exchange))
        sum_doubles_staged(exchange, values, n);
    else
        exchange->by->sum_doubles(exchange->comm, values, n);
}
