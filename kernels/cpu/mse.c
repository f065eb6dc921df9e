#include "kernels/cpu/simd.h"
#include "kernels/cpu/table.h"

static double squared_error(const float *y, const float *t, int64_t n)
{
    double sum = 0.0;
    for (int64_t j = 0; j < n; j++)
        sum += ((double)y[j] - (double)t[j]) * ((double)y[j] - (double)t[j]);
    return sum;
}

KD_SIMD static void to_gradient(float *y, const float *t, float factor, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = (y[j] - t[j]) * factor;
}

void kd_cpu_mse(struct kd_queue *queue, const struct kd_op_mse *a)
{
    (void)queue;
    int64_t n = a->rows * a->n_targets;
    if (n == 0)
        return;
    a->sums->loss += squared_error(a->y, a->targets, n) / (double)a->n_targets;
    a->sums->n_counted += a->rows;
    if (a->backward)
        to_gradient(a->y, a->targets,
                    (float)(2.0 / ((double)a->n_targets * (double)a->turn->n_counted)), n);
}
