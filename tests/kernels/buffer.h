/* buffer.h - for op tests: numbers on a device with a copy on the host, and a comparison with a
 * float64 reference. */
#ifndef KD_TESTS_KERNELS_BUFFER_H
#define KD_TESTS_KERNELS_BUFFER_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "kernels/device.h"
#include "tests/half.h"

struct bench {
    const struct kd_device *device;
    struct kd_queue *queue;
    enum kd_precision precision; /* the queue's */
    struct kd_rng rng;
    bool is_slow; /* a device made of fibers: fewer and smaller shapes */
};

/* Numbers that the device has as floats, or as values: as the queue stores them. The host's copy is
 * what they are there. */
struct buffer {
    float *host; /* what was put in, or what came back */
    void *device;
    void *memory; /* that was allocated for it: device is in it */
    int64_t n;
    enum kd_precision stored;
};

static inline size_t buffer_bytes(const struct buffer *buffer)
{
    return (size_t)(buffer->n * kd_precision_bytes(buffer->stored));
}

/* A copy that is there when it returns. */
static inline void bench_read(struct bench *bench, void *host, const void *device, size_t bytes)
{
    bench->device->copy_out(bench->queue, host, device, bytes);
    bench->device->wait(bench->queue);
}

static inline uint16_t half_of(float x, enum kd_precision stored)
{
    return stored == KD_PRECISION_BF16 ? kd_bf16_of_float(x) : kd_fp16_of_float(x);
}

static inline float float_of(uint16_t x, enum kd_precision stored)
{
    return stored == KD_PRECISION_BF16 ? kd_float_of_bf16(x) : kd_float_of_fp16(x);
}

/* The host's numbers to the device; they become what they are there. */
static inline void buffer_write(struct bench *bench, const struct buffer *buffer)
{
    size_t bytes = buffer_bytes(buffer);
    if (kd_precision_bytes(buffer->stored) == sizeof(float)) {
        bench->device->copy_in(bench->queue, buffer->device, buffer->host, bytes);
        return;
    }
    uint16_t *halves = KD_NEW_ARRAY(uint16_t, (size_t)buffer->n + 1);
    for (int64_t i = 0; i < buffer->n; i++) {
        halves[i] = half_of(buffer->host[i], buffer->stored);
        buffer->host[i] = float_of(halves[i], buffer->stored);
    }
    bench->device->copy_in(bench->queue, buffer->device, halves, bytes);
    free(halves);
}

static inline void buffer_read(struct bench *bench, struct buffer *buffer)
{
    size_t bytes = buffer_bytes(buffer);
    if (kd_precision_bytes(buffer->stored) == sizeof(float)) {
        bench_read(bench, buffer->host, buffer->device, bytes);
        return;
    }
    uint16_t *halves = KD_NEW_ARRAY(uint16_t, (size_t)buffer->n + 1);
    bench_read(bench, halves, buffer->device, bytes);
    for (int64_t i = 0; i < buffer->n; i++)
        buffer->host[i] = float_of(halves[i], buffer->stored);
    free(halves);
}

static inline struct buffer buffer_stored(struct bench *bench, enum kd_precision stored, int64_t n,
                                          double scale)
{
    struct buffer buffer = {
        .host = KD_NEW_ARRAY(float, (size_t)n + 1),
        .device = bench->device->alloc((size_t)(n * kd_precision_bytes(stored))),
        .n = n,
        .stored = stored,
    };
    buffer.memory = buffer.device;
    for (int64_t i = 0; i < n; i++)
        buffer.host[i] = (float)(scale * (2.0 * kd_rng_uniform(&bench->rng) - 1.0));
    buffer_write(bench, &buffer);
    return buffer;
}

/* Floats in [-scale, scale). */
static inline struct buffer buffer_random(struct bench *bench, int64_t n, double scale)
{
    return buffer_stored(bench, KD_PRECISION_FP32, n, scale);
}

/* Values, likewise. */
static inline struct buffer values_random(struct bench *bench, int64_t n, double scale)
{
    return buffer_stored(bench, bench->precision, n, scale);
}

/* What its host has to memory of the device that begins at an odd value, where no groups of values
 * may be read or written. */
static inline void buffer_move(struct bench *bench, struct buffer *buffer)
{
    int64_t size = kd_precision_bytes(buffer->stored);
    bench->device->free(buffer->memory);
    buffer->memory = bench->device->alloc((size_t)((buffer->n + 1) * size));
    buffer->device = (char *)buffer->memory + size;
    buffer_write(bench, buffer);
}

/* What its host has, in memory of its own, and nothing on the device: free(copy.host). */
static inline struct buffer buffer_copy(const struct buffer *buffer)
{
    struct buffer copy = {.host = KD_NEW_ARRAY(float, (size_t)buffer->n + 1), .n = buffer->n};
    memcpy(copy.host, buffer->host, (size_t)buffer->n * sizeof(float));
    return copy;
}

/* The same memory of the device, to be read to another place: free(again.host). */
static inline struct buffer buffer_again(const struct buffer *buffer)
{
    struct buffer again = *buffer;
    again.host = KD_NEW_ARRAY(float, (size_t)buffer->n + 1);
    return again;
}

static inline void buffer_free(struct bench *bench, struct buffer *buffer)
{
    free(buffer->host);
    bench->device->free(buffer->memory);
}

/* From a number to the next that can be stored, relative to it. */
static inline double step_of(const struct buffer *buffer)
{
    static const double steps[KD_N_PRECISIONS] = {
        [KD_PRECISION_BF16] = 0x1p-7, [KD_PRECISION_FP16] = 0x1p-10};
    return steps[buffer->stored];
}

/* Number i on the device. */
static inline void *buffer_at(const struct buffer *buffer, int64_t i)
{
    return (char *)buffer->device + i * kd_precision_bytes(buffer->stored);
}

/* A float as it would be stored there. */
static inline float stored_in(const struct buffer *buffer, float x)
{
    bool is_float = kd_precision_bytes(buffer->stored) == sizeof(float);
    return is_float ? x : float_of(half_of(x, buffer->stored), buffer->stored);
}

static inline void *to_device(struct bench *bench, const void *host, size_t bytes)
{
    void *device = bench->device->alloc(bytes);
    bench->device->copy_in(bench->queue, device, host, bytes);
    return device;
}

static inline void assert_near(double got, double want, double tolerance, const char *what,
                               int64_t at)
{
    if (fabs(got - want) <= tolerance * (1.0 + fabs(want)) || (isnan(got) && isnan(want)))
        return;
    fail_msg("%s[%lld] is %.9g, the reference gives %.9g", what, (long long)at, got, want);
}

/* The copy on the host; the caller frees. */
static inline double *buffer_doubles(const struct buffer *b)
{
    double *result = KD_NEW_ARRAY(double, (size_t)b->n + 1);
    for (int64_t i = 0; i < b->n; i++)
        result[i] = (double)b->host[i];
    return result;
}

/* Number i of what came back: within the tolerance of a float, and then stored. The least of fp16
 * are 2^-24 apart. */
static inline void assert_value(const struct buffer *got, int64_t i, double want, double tolerance,
                                const char *what)
{
    double stored = step_of(got) > 0 ? step_of(got) * fabs(want) + 0x1p-24 : 0;
    assert_near(got->host[i], want, tolerance + stored / (1.0 + fabs(want)), what, i);
}

static inline void buffer_compare_within(struct bench *bench, struct buffer *got,
                                         const double *want, double tolerance, const char *what)
{
    buffer_read(bench, got);
    for (int64_t i = 0; i < got->n; i++)
        assert_value(got, i, want[i], tolerance, what);
}

/* For sums of up to some thousand products of numbers below 1, whose roundings add up like a
 * walk. */
static inline void buffer_compare(struct bench *bench, struct buffer *got, const double *want,
                                  const char *what)
{
    buffer_compare_within(bench, got, want, 2e-5, what);
}

/* What an op that writes by beta starts from, and in *want what it keeps of that. With 0 what was
 * there is not read, not even a NaN. */
static inline void buffer_start(struct bench *bench, struct buffer *b, double *want, float beta)
{
    for (int64_t i = 0; i < b->n; i++) {
        want[i] *= (double)beta;
        if (beta == 0.0f)
            b->host[i] = NAN, want[i] = 0;
    }
    buffer_write(bench, b);
}

static const int64_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 130};

/* 16: whole groups of values, which GPUs read at once. */
static const int64_t few_sizes[] = {0, 1, 3, 16, 33, 130};

/* Over the sizes that fit the device of `bench`. */
#define FOR_SIZES(n)                                                                               \
    for (size_t n##_at = 0; n##_at < (bench->is_slow ? KD_COUNT(few_sizes) : KD_COUNT(sizes));     \
         n##_at++)                                                                                 \
        for (int64_t n = (bench->is_slow ? few_sizes : sizes)[n##_at], n##_once = 1; n##_once;     \
             n##_once = 0)

static inline void run(struct bench *bench, struct kd_call call)
{
    kd_call_run(&call, bench->device->ops, bench->queue);
}

#endif
