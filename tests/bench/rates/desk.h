/* desk.h - the arguments of an op laid out for a measurement: memory of a device, filled, and the
 * bytes that the op's contract makes it move.
 *
 * What an op must read is taken by desk_in, what it must write by desk_out, what it changes by
 * desk_change; each counts its bytes once. desk_keep's are not counted: memory that the op is given
 * but does not go through.
 * What is `void` in the op's struct are values, as the precision stores them: desk_values_in and so
 * on. A desk without a device only counts, and gives NULL. */
#ifndef KD_TESTS_BENCH_DESK_H
#define KD_TESTS_BENCH_DESK_H

#include "coordinator/base/arr.h"
#include "kernels/device.h"

enum { DESK_SHAPE_MAX = 64 };

struct desk {
    const struct kd_device *device; /* NULL: only counts */
    struct kd_queue *queue;
    enum kd_precision precision; /* the queue's */
    int64_t moved;               /* bytes read and written */
    int64_t held;                /* bytes of memory */
    char shape[DESK_SHAPE_MAX];  /* for people */
    KD_ARR(void *) memory;
    struct kd_range *ranges; /* host memory, owned */
};

void desk_release(struct desk *desk);
void desk_shape(struct desk *desk, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Floats in [-1, 1). */
float *desk_in(struct desk *desk, int64_t n);
float *desk_change(struct desk *desk, int64_t n);
/* Zeros. */
float *desk_out(struct desk *desk, int64_t n);
/* The same as values. */
void *desk_values_in(struct desk *desk, int64_t n);
void *desk_values_change(struct desk *desk, int64_t n);
void *desk_values_out(struct desk *desk, int64_t n);
void *desk_out_bytes(struct desk *desk, int64_t n);
double *desk_out_doubles(struct desk *desk, int64_t n);
const double *desk_in_doubles(struct desk *desk, int64_t n);
void *desk_keep(struct desk *desk, int64_t bytes);

/* Bytes, int32 and int64 in [0, below), in no order. */
const uint8_t *desk_in_bytes(struct desk *desk, int64_t n, int64_t below);
const int32_t *desk_in_int32(struct desk *desk, int64_t n, int64_t below);
const int64_t *desk_in_int64(struct desk *desk, int64_t n, int64_t below);

/* 0, 1, 2, ...: the samples of a batch. */
const int64_t *desk_in_samples(struct desk *desk, int64_t n);

/* One float, and the structs of kernels/hyper.h with usual values. */
const float *desk_in_float(struct desk *desk, float value);
const struct kd_hyper *desk_in_hyper(struct desk *desk);
const struct kd_turn *desk_in_turn(struct desk *desk, int64_t n_samples, int64_t n_counted);

/* Ranges in equal parts, every other one decays, on the host; one set a desk. */
const struct kd_range *desk_ranges(struct desk *desk, int64_t n, int n_ranges);

#endif
