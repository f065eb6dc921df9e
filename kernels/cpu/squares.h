/* squares.h - sums of squares in double: a norm neither overflows nor loses what is small. */
#ifndef KD_KERNELS_CPU_SQUARES_H
#define KD_KERNELS_CPU_SQUARES_H

#include "kernels/cpu/lanes.h"

typedef double kd_double_lanes __attribute__((vector_size(64)));

/* Two, so that an addition does not wait for the one before it. */
struct kd_squares {
    kd_double_lanes even, odd;
};

KD_INLINE void kd_squares_add(struct kd_squares *sum, const kd_lanes_at *x)
{
    kd_half_lanes halves[2];
    memcpy(halves, x, sizeof halves);
    kd_double_lanes first = __builtin_convertvector(halves[0], kd_double_lanes);
    kd_double_lanes second = __builtin_convertvector(halves[1], kd_double_lanes);
    sum->even += first * first;
    sum->odd += second * second;
}

KD_INLINE double kd_squares_sum(const struct kd_squares *sum)
{
    kd_double_lanes both = sum->even + sum->odd;
    return ((both[0] + both[1]) + (both[2] + both[3])) +
           ((both[4] + both[5]) + (both[6] + both[7]));
}

KD_INLINE double kd_squares_of(const float *x, int64_t n)
{
    struct kd_squares sum = {{0}, {0}};
    int64_t whole = kd_lanes_down(n);
    for (int64_t i = 0; i < whole; i += KD_LANES)
        kd_squares_add(&sum, (const kd_lanes_at *)(x + i));
    double rest = 0.0;
    for (int64_t i = whole; i < n; i++)
        rest += (double)x[i] * (double)x[i];
    return kd_squares_sum(&sum) + rest;
}

#endif
