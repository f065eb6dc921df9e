#include <math.h>

#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/table.h"

/* max(y, 0) - y t + log(1 + e^-|y|): no overflow at either end (and a NaN stays one). */
static double loss_of(const float *y, const float *t, int64_t n, int64_t *n_right)
{
    double sum = 0.0;
    for (int64_t j = 0; j < n; j++) {
        double x = y[j];
        sum += (x < 0 ? 0 : x) - x * (double)t[j] + log1p(exp(-fabs(x)));
        *n_right += (y[j] > 0.0f) == (t[j] > 0.5f) && !isnan(y[j]);
    }
    return sum;
}

KD_SIMD static void to_gradient(float *y, const float *t, float factor, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = (1.0f / (1.0f + kd_fast_exp(-y[j])) - t[j]) * factor;
}

void kd_cpu_bce(struct kd_queue *queue, const struct kd_op_bce *a)
{
    (void)queue;
    int64_t n = a->rows * a->n_targets, n_right = 0;
    if (n == 0)
        return;
    a->sums->loss += loss_of(a->y, a->targets, n, &n_right) / (double)a->n_targets;
    a->sums->n_correct += n_right;
    a->sums->n_top5 += n_right;
    a->sums->n_counted += a->rows;
    if (a->backward)
        to_gradient(a->y, a->targets,
                    (float)(1.0 / ((double)a->n_targets * (double)a->turn->n_counted)), n);
}
