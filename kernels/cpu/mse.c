#include "kernels/cpu/squares.h"
#include "kernels/cpu/table.h"

/* The sum of (y - t)^2; y becomes (y - t) factor where that is not 0. */
KD_SIMD static double squared_error(float *y, const float *t, int64_t n, float factor)
{
    struct kd_squares sum = {{0}, {0}};
    double rest = 0.0;
    int64_t whole = kd_lanes_down(n);
    for (int64_t j = 0; j < whole; j += KD_LANES) {
        kd_lanes error = *(const kd_lanes_at *)(y + j) - *(const kd_lanes_at *)(t + j);
        kd_squares_add(&sum, (const kd_lanes_at *)&error);
        if (factor != 0.0f)
            *(kd_lanes_at *)(y + j) = error * factor;
    }
    for (int64_t j = whole; j < n; j++) {
        float error = y[j] - t[j];
        rest += (double)error * (double)error;
        y[j] = factor != 0.0f ? error * factor : y[j];
    }
    return kd_squares_sum(&sum) + rest;
}

void kd_cpu_mse(struct kd_queue *queue, const struct kd_op_mse *a)
{
    (void)queue;
    int64_t n = a->rows * a->n_targets;
    if (n == 0)
        return;
    double counted = (double)a->n_targets * (double)a->turn->n_counted;
    a->sums->loss += squared_error(a->y, a->targets, n, a->backward ? (float)(2.0 / counted) : 0) /
                     (double)a->n_targets;
    a->sums->n_counted += a->rows;
}
