/* average.c - the average of the weights, and the factor that clips a gradient. */
#include <math.h>

#include "kernels/cpu/table.h"
#include "kernels/simd.h"

KD_SIMD static void average(const float *restrict x, float *restrict y, int64_t n, float decay)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = decay * y[i] + (1.0f - decay) * x[i];
}

void kd_cpu_average(struct kd_queue *queue, const struct kd_op_average *a)
{
    (void)queue;
    average(a->x, a->average, a->n, a->hyper->average_decay);
}

void kd_cpu_clip(struct kd_queue *queue, const struct kd_op_clip *a)
{
    (void)queue;
    double norm = sqrt(*a->sum_squares);
    *a->norm = (float)norm;
    *a->scale = a->hyper->clip > 0 && norm > (double)a->hyper->clip
                    ? (float)((double)a->hyper->clip / norm)
                    : 1.0f;
}
