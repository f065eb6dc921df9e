#include "tests/bench/rates/desk.h"

#include <stdarg.h>
#include <stdio.h>

#include "coordinator/base/rng.h"
#include "tests/half.h"

void desk_release(struct desk *desk)
{
    for (size_t i = 0; i < desk->memory.n; i++)
        desk->device->free(desk->memory.items[i]);
    kd_arr_release(&desk->memory);
    free(desk->ranges);
    *desk = (struct desk){0};
}

void desk_shape(struct desk *desk, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(desk->shape, sizeof desk->shape, format, args);
    va_end(args);
}

/* ---- memory, of which `moved` bytes are read or written */

static void *take(struct desk *desk, int64_t bytes, int64_t moved)
{
    desk->held += bytes;
    desk->moved += moved;
    if (!desk->device)
        return NULL;
    kd_arr_push(&desk->memory, desk->device->alloc((size_t)bytes));
    return desk->memory.items[desk->memory.n - 1];
}

static void *take_copy(struct desk *desk, const void *host, int64_t bytes)
{
    void *memory = take(desk, bytes, bytes);
    if (memory) {
        desk->device->copy_in(desk->queue, memory, host, (size_t)bytes);
        desk->device->wait(desk->queue);
    }
    return memory;
}

static float *take_floats(struct desk *desk, int64_t n, int times)
{
    int64_t bytes = n * (int64_t)sizeof(float);
    float *x = take(desk, bytes, bytes * times);
    if (x)
        kd_call_run(
            &KD_CALL(init_uniform, .x = x, .n = n, .bound = 1, .seed = 1, .stream = desk->memory.n),
            desk->device->ops, desk->queue);
    return x;
}

float *desk_in(struct desk *desk, int64_t n)
{
    return take_floats(desk, n, 1);
}

float *desk_change(struct desk *desk, int64_t n)
{
    return take_floats(desk, n, 2);
}

float *desk_out(struct desk *desk, int64_t n)
{
    return desk_out_bytes(desk, n * (int64_t)sizeof(float));
}

/* ---- values */

enum { SOME = 1 << 20 };

/* The same numbers again and again: what they are changes no time. */
static void fill_halves(const struct desk *desk, uint16_t *memory, int64_t n)
{
    bool is_bf16 = desk->precision == KD_PRECISION_BF16;
    struct kd_rng rng = kd_rng_at(1, 4);
    uint16_t *host = KD_NEW_ARRAY(uint16_t, SOME);
    for (int64_t i = 0; i < SOME && i < n; i++) {
        float x = (float)(2 * kd_rng_uniform(&rng) - 1);
        host[i] = is_bf16 ? kd_bf16_of_float(x) : kd_fp16_of_float(x);
    }
    for (int64_t i = 0; i < n; i += SOME)
        desk->device->copy_in(desk->queue, memory + i, host,
                              (size_t)(n - i < SOME ? n - i : SOME) * sizeof *host);
    desk->device->wait(desk->queue);
    free(host);
}

static void *take_values(struct desk *desk, int64_t n, int times)
{
    int64_t bytes = n * kd_precision_bytes(desk->precision);
    if (bytes == n * (int64_t)sizeof(float))
        return take_floats(desk, n, times);
    uint16_t *memory = take(desk, bytes, bytes * times);
    if (memory)
        fill_halves(desk, memory, n);
    return memory;
}

void *desk_values_in(struct desk *desk, int64_t n)
{
    return take_values(desk, n, 1);
}

void *desk_values_change(struct desk *desk, int64_t n)
{
    return take_values(desk, n, 2);
}

void *desk_values_out(struct desk *desk, int64_t n)
{
    return desk_out_bytes(desk, n * kd_precision_bytes(desk->precision));
}

void *desk_out_bytes(struct desk *desk, int64_t n)
{
    return take(desk, n, n);
}

double *desk_out_doubles(struct desk *desk, int64_t n)
{
    return desk_out_bytes(desk, n * (int64_t)sizeof(double));
}

const double *desk_in_doubles(struct desk *desk, int64_t n)
{
    return desk_out_doubles(desk, n);
}

void *desk_keep(struct desk *desk, int64_t bytes)
{
    return take(desk, bytes, 0);
}

/* ---- whole numbers */

const uint8_t *desk_in_bytes(struct desk *desk, int64_t n, int64_t below)
{
    struct kd_rng rng = kd_rng_at(1, 1);
    uint8_t *host = desk->device ? KD_NEW_ARRAY(uint8_t, (size_t)n) : NULL;
    for (int64_t i = 0; host && i < n; i++)
        host[i] = (uint8_t)kd_rng_below(&rng, (uint64_t)below);
    const uint8_t *memory = take_copy(desk, host, n);
    free(host);
    return memory;
}

const int32_t *desk_in_int32(struct desk *desk, int64_t n, int64_t below)
{
    struct kd_rng rng = kd_rng_at(1, 2);
    int32_t *host = desk->device ? KD_NEW_ARRAY(int32_t, (size_t)n) : NULL;
    for (int64_t i = 0; host && i < n; i++)
        host[i] = (int32_t)kd_rng_below(&rng, (uint64_t)below);
    const int32_t *memory = take_copy(desk, host, n * (int64_t)sizeof *host);
    free(host);
    return memory;
}

static const int64_t *take_int64(struct desk *desk, int64_t n, int64_t below)
{
    struct kd_rng rng = kd_rng_at(1, 3);
    int64_t *host = desk->device ? KD_NEW_ARRAY(int64_t, (size_t)n) : NULL;
    for (int64_t i = 0; host && i < n; i++)
        host[i] = below ? (int64_t)kd_rng_below(&rng, (uint64_t)below) : i;
    const int64_t *memory = take_copy(desk, host, n * (int64_t)sizeof *host);
    free(host);
    return memory;
}

const int64_t *desk_in_int64(struct desk *desk, int64_t n, int64_t below)
{
    return take_int64(desk, n, below);
}

const int64_t *desk_in_samples(struct desk *desk, int64_t n)
{
    return take_int64(desk, n, 0);
}

/* ---- what changes from step to step */

const float *desk_in_float(struct desk *desk, float value)
{
    return take_copy(desk, &value, sizeof value);
}

const struct kd_hyper *desk_in_hyper(struct desk *desk)
{
    /* A small rate, so that values stay what they were over thousands of repetitions. */
    struct kd_hyper hyper = {.lr = 1e-6f,
                             .momentum = 0.9f,
                             .weight_decay = 0.01f,
                             .beta1 = 0.9f,
                             .beta2 = 0.999f,
                             .epsilon = 1e-8f,
                             .clip = 1,
                             .average_decay = 0.999f,
                             .step = 100};
    return take_copy(desk, &hyper, sizeof hyper);
}

const struct kd_turn *desk_in_turn(struct desk *desk, int64_t n_samples, int64_t n_counted)
{
    struct kd_turn turn = {
        .seed = 1, .step = 1, .n_global = n_samples, .n_counted = n_counted, .mix = 0.5f};
    return take_copy(desk, &turn, sizeof turn);
}

const struct kd_range *desk_ranges(struct desk *desk, int64_t n, int n_ranges)
{
    free(desk->ranges);
    desk->ranges = KD_NEW_ARRAY(struct kd_range, (size_t)n_ranges);
    for (int r = 0; r < n_ranges; r++)
        desk->ranges[r] = (struct kd_range){
            .n = n * (r + 1) / n_ranges - n * r / n_ranges,
            .decay = r % 2 == 0,
        };
    return desk->ranges;
}
