#include "kernels/cpu/table.h"
#include "kernels/simd.h"

KD_SIMD static double squared_error(const float *y, const float *t, int64_t n)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        double error = (double)(y[j] - t[j]);
        sum += error * error;
    }
    return sum;
}

/* The same, and y becomes (y - t) factor. */
KD_SIMD static double with_gradient(float *restrict y, const float *restrict t, int64_t n,
                                    float factor)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        float error = y[j] - t[j];
        sum += (double)error * (double)error;
        y[j] = error * factor;
    }
    return sum;
}

void kd_cpu_mse(struct kd_queue *queue, const struct kd_op_mse *a)
{
    (void)queue;
    int64_t n = a->rows * a->n_targets;
    if (n == 0)
        return;
    double scale = a->scale ? (double)*a->scale : 1.0;
    double counted = (double)a->n_targets * (double)a->turn->n_counted;
    double sum = a->backward ? with_gradient(a->y, a->targets, n, (float)(2.0 * scale / counted))
                             : squared_error(a->y, a->targets, n);
    a->sums->loss += sum / (double)a->n_targets;
    a->sums->n_counted += a->rows;
}
