#include <math.h>

#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/table.h"

enum { LANES = 16, TOP = 5 };

/* What a row of logits is reduced to. Everything goes in lanes, since the compiler must not reorder one running sum. */
struct row {
    float max;       /* a NaN is never the greatest; it comes back in the sum of the exponentials */
    float sum_exp;   /* of x - max */
    float sum;       /* of x, for label smoothing */
    int64_t n_above; /* logits that are greater than the label's, or equal and before it */
};

KD_SIMD static float find_max(const float *x, int64_t n)
{
    float lanes[LANES], max = -INFINITY;
    int64_t whole = n - n % LANES;
    for (int l = 0; l < LANES; l++)
        lanes[l] = -INFINITY;
    for (int64_t j = 0; j < whole; j += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] = x[j + l] > lanes[l] ? x[j + l] : lanes[l];
    for (int64_t j = whole; j < n; j++)
        lanes[j - whole] = x[j] > lanes[j - whole] ? x[j] : lanes[j - whole];
    for (int l = 0; l < LANES; l++)
        max = lanes[l] > max ? lanes[l] : max;
    return max;
}

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

KD_SIMD static float sum_of(const float *x, int64_t n)
{
    float lanes[LANES] = {0}, sum = 0.0f;
    int64_t whole = n - n % LANES;
    for (int64_t j = 0; j < whole; j += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += x[j + l];
    for (int64_t j = whole; j < n; j++)
        lanes[j - whole] += x[j];
    for (int l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

KD_SIMD static int64_t count_above(const float *x, int64_t label, int64_t n)
{
    float value = x[label];
    int32_t above = 0;
    for (int64_t j = 0; j < label; j++)
        above += x[j] >= value;
    for (int64_t j = label + 1; j < n; j++)
        above += x[j] > value;
    return above;
}

KD_SIMD static void to_gradient(float *x, float max, float factor, float everywhere, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        x[j] = kd_fast_exp(x[j] - max) * factor - everywhere;
}

static struct row reduce(const float *x, int64_t label, int64_t n, bool smooths)
{
    struct row row = {.max = find_max(x, n)};
    row.sum_exp = sum_of_exp(x, row.max, n);
    row.sum = smooths ? sum_of(x, n) : 0.0f;
    row.n_above = isnan(row.sum_exp) ? n : count_above(x, label, n);
    return row;
}

/* What all rows share. */
struct weights {
    float smoothing, mix, scale;
};

static double loss_of(const struct row *row, const float *x, int64_t label, int64_t other,
                      int64_t n, const struct weights *w)
{
    double log_sum = log((double)row->sum_exp) + (double)row->max;
    double wanted = (1.0 - (double)w->mix) * (double)x[label] + (double)w->mix * (double)x[other];
    double mean = (double)row->sum / (double)n;
    return log_sum - (1.0 - (double)w->smoothing) * wanted - (double)w->smoothing * mean;
}

static void one_row(const struct kd_op_cross_entropy *a, int64_t i, const struct weights *w)
{
    float *x = a->logits + i * a->n_classes;
    int64_t n = a->n_classes, label = a->labels[i];
    int64_t other = a->other_labels ? a->other_labels[i] : label;
    if (label < 0 || other < 0) {
        for (int64_t j = 0; j < n && a->backward; j++)
            x[j] = 0.0f;
        return;
    }
    struct row row = reduce(x, label, n, w->smoothing > 0.0f);
    a->sums->loss += loss_of(&row, x, label, other, n, w);
    a->sums->n_correct += row.n_above == 0;
    a->sums->n_top5 += row.n_above < TOP && !isnan(row.sum_exp);
    a->sums->n_counted++;
    if (!a->backward)
        return;
    to_gradient(x, row.max, w->scale / row.sum_exp, w->scale * w->smoothing / (float)n, n);
    x[label] -= w->scale * (1.0f - w->smoothing) * (1.0f - w->mix);
    x[other] -= w->scale * (1.0f - w->smoothing) * w->mix;
}

void kd_cpu_cross_entropy(struct kd_queue *queue, const struct kd_op_cross_entropy *a)
{
    (void)queue;
    const struct weights w = {
        .smoothing = a->smoothing ? *a->smoothing : 0.0f,
        .mix = a->other_labels ? a->turn->mix : 0.0f,
        .scale = 1.0f / (float)a->turn->n_counted,
    };
    for (int64_t i = 0; i < a->rows; i++)
        one_row(a, i, &w);
}
