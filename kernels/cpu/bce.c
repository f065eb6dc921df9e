#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/table.h"

struct sums {
    double loss;
    int64_t n_right;
};

/* With e = e^-|y| the loss is max(y, 0) - y t + log(1 + e): no overflow at either end, and a NaN
 * stays one. */
KD_INLINE float loss_of(float y, float t, float e)
{
    return (y < 0.0f ? 0.0f : y) - y * t + kd_fast_log1p(e);
}

KD_INLINE int32_t is_right(float y, float t)
{
    return ((y > 0.0f) == (t > 0.5f)) & (y == y);
}

KD_SIMD static void add_up(const float *y, const float *t, int64_t n, struct sums *sums)
{
    double loss = 0.0;
    int64_t right = 0;
#pragma omp simd reduction(+ : loss, right)
    for (int64_t j = 0; j < n; j++) {
        loss += (double)loss_of(y[j], t[j], kd_fast_exp(-fabsf(y[j])));
        right += is_right(y[j], t[j]);
    }
    *sums = (struct sums){loss, right};
}

/* The same, and y becomes (sigmoid(y) - t) factor, the sigmoid being 1 or e over 1 + e. */
KD_SIMD static void with_gradient(float *restrict y, const float *restrict t, int64_t n,
                                  float factor, struct sums *sums)
{
    double loss = 0.0;
    int64_t right = 0;
#pragma omp simd reduction(+ : loss, right)
    for (int64_t j = 0; j < n; j++) {
        float e = kd_fast_exp(-fabsf(y[j]));
        loss += (double)loss_of(y[j], t[j], e);
        right += is_right(y[j], t[j]);
        y[j] = ((y[j] < 0.0f ? e : 1.0f) / (1.0f + e) - t[j]) * factor;
    }
    *sums = (struct sums){loss, right};
}

void kd_cpu_bce(struct kd_queue *queue, const struct kd_op_bce *a)
{
    (void)queue;
    struct sums sums = {0};
    int64_t n = a->rows * a->n_targets;
    if (n == 0)
        return;
    double scale = a->scale ? (double)*a->scale : 1.0;
    double counted = (double)a->n_targets * (double)a->turn->n_counted;
    if (a->backward)
        with_gradient(a->y, a->targets, n, (float)(scale / counted), &sums);
    else
        add_up(a->y, a->targets, n, &sums);
    a->sums->loss += sums.loss / (double)a->n_targets;
    a->sums->n_correct += sums.n_right;
    a->sums->n_top5 += sums.n_right;
    a->sums->n_counted += a->rows;
}
