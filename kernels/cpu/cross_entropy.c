#include <math.h>

#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/table.h"

enum { LANES = 16 };

struct row_max {
    float value;
    int64_t at; /* the first of the greatest */
};

/* A NaN is never the greatest; it comes back in the sum of the exponentials. */
static struct row_max find_max(const float *x, int64_t n)
{
    struct row_max max = {-INFINITY, 0};
    for (int64_t j = 0; j < n; j++)
        if (x[j] > max.value)
            max = (struct row_max){x[j], j};
    return max;
}

/* Sums in lanes, since the compiler must not reorder one running sum. */
KD_SIMD static float sum_of_exp(const float *x, float max, int64_t n)
{
    float lanes[LANES] = {0};
    int64_t whole = n - n % LANES;
    for (int64_t j = 0; j < whole; j += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += kd_fast_exp(x[j + l] - max);
    for (int64_t j = whole; j < n; j++)
        lanes[j - whole] += kd_fast_exp(x[j] - max);
    float sum = 0.0f;
    for (int l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

KD_SIMD static void to_gradient(float *x, float max, float factor, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        x[j] = kd_fast_exp(x[j] - max) * factor;
}

static void one_row(const struct kd_op_cross_entropy *a, int64_t i)
{
    float *x = a->logits + i * a->n_classes;
    int32_t label = a->labels[i];
    struct row_max max = find_max(x, a->n_classes);
    float sum = sum_of_exp(x, max.value, a->n_classes);
    a->sums->loss += log((double)sum) - ((double)x[label] - (double)max.value);
    a->sums->n_correct += max.at == label && !isnan(sum);
    if (!a->backward)
        return;
    float scale = 1.0f / (float)a->turn->n_counted;
    to_gradient(x, max.value, scale / sum, a->n_classes);
    x[label] -= scale;
}

void kd_cpu_cross_entropy(struct kd_queue *queue, const struct kd_op_cross_entropy *a)
{
    (void)queue;
    for (int64_t i = 0; i < a->rows; i++)
        one_row(a, i);
}
