/* cross_entropy.c - each row in three passes: a look for the greatest logit, exponentials (in the
 * logits' place when their gradient is wanted) with their sum, and the gradient out of them. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/table.h"

enum { TOP = 5, SHORT = 16 }; /* up to so many classes a row is filled up to a whole vector */

/* A row of logits, and what it is reduced to. */
struct row {
    float *x; /* the logits, or a copy with -infinity behind them, [n] */
    int64_t n, n_classes;
    float max;       /* a NaN is never the greatest; it comes back in the sum of the exponentials */
    double sum;      /* of x, for label smoothing */
    double sum_exp;  /* of e^(x - max) */
    int64_t n_above; /* logits that are greater than the label's, or equal and before it */
};

KD_INLINE void find_max(struct row *row, int64_t label)
{
    const float *x = row->x;
    float max = -INFINITY, value = x[label];
    int32_t greater = 0, equal = 0;
#pragma omp simd reduction(max : max) reduction(+ : greater, equal)
    for (int64_t j = 0; j < row->n; j++) {
        max = x[j] > max ? x[j] : max;
        greater += x[j] > value;
        equal += x[j] == value;
    }
    row->max = max;
    row->n_above = greater;
    /* Ties are rare, so that those before the label are looked for only where there are some. */
    for (int64_t j = 0; equal > 1 && j < label; j++)
        row->n_above += x[j] == value;
}

KD_INLINE double sum_of(const float *x, int64_t n)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++)
        sum += (double)x[j];
    return sum;
}

/* Of e^(x - max). */
KD_INLINE double sum_exponentials(const float *x, float max, int64_t n)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++)
        sum += (double)kd_fast_exp(x[j] - max);
    return sum;
}

/* The same, and they take the logits' place. */
KD_INLINE double exponentiate(float *x, float max, int64_t n)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        x[j] = kd_fast_exp(x[j] - max);
        sum += (double)x[j];
    }
    return sum;
}

/* What all rows share. */
struct weights {
    float smoothing, mix, scale;
};

KD_INLINE double loss_of(const struct row *row, float wanted, float other, const struct weights *w)
{
    double log_sum = log(row->sum_exp) + (double)row->max;
    double mixed = (1.0 - (double)w->mix) * (double)wanted + (double)w->mix * (double)other;
    return log_sum - (1.0 - (double)w->smoothing) * mixed -
           (double)w->smoothing * row->sum / (double)row->n_classes;
}

KD_INLINE void to_gradient(struct row *row, int64_t label, int64_t other, const struct weights *w)
{
    float factor = (float)((double)w->scale / row->sum_exp);
    float everywhere = w->scale * w->smoothing / (float)row->n_classes;
    for (int64_t j = 0; j < row->n; j++)
        row->x[j] = row->x[j] * factor - everywhere;
    row->x[label] -= w->scale * (1.0f - w->smoothing) * (1.0f - w->mix);
    row->x[other] -= w->scale * (1.0f - w->smoothing) * w->mix;
}

KD_INLINE void take_row(const struct kd_op_cross_entropy *a, int64_t i, const struct weights *w,
                        struct row row)
{
    int64_t label = a->labels[i], other = a->other_labels ? a->other_labels[i] : label;
    float wanted = row.x[label], mixed = row.x[other];
    find_max(&row, label);
    row.sum = w->smoothing > 0.0f ? sum_of(row.x, row.n_classes) : 0.0;
    row.sum_exp =
        a->backward ? exponentiate(row.x, row.max, row.n) : sum_exponentials(row.x, row.max, row.n);
    bool sound = !isnan(row.sum_exp);
    a->sums->loss += loss_of(&row, wanted, mixed, w);
    a->sums->n_correct += sound && row.n_above == 0;
    a->sums->n_top5 += sound && row.n_above < TOP;
    a->sums->n_counted++;
    if (a->backward)
        to_gradient(&row, label, other, w);
}

KD_INLINE void take_short_row(const struct kd_op_cross_entropy *a, int64_t i,
                              const struct weights *w, float *logits)
{
    float x[SHORT];
    size_t bytes = (size_t)a->n_classes * sizeof *x;
    for (int j = 0; j < SHORT; j++)
        x[j] = -INFINITY;
    memcpy(x, logits, bytes);
    take_row(a, i, w, (struct row){.x = x, .n = SHORT, .n_classes = a->n_classes});
    if (a->backward)
        memcpy(logits, x, bytes);
}

KD_SIMD static void all_rows(const struct kd_op_cross_entropy *a, const struct weights *w)
{
    int64_t n = a->n_classes;
    for (int64_t i = 0; i < a->rows; i++) {
        float *x = (float *)a->logits + i * n;
        if (a->labels[i] >= 0 && n <= SHORT)
            take_short_row(a, i, w, x);
        else if (a->labels[i] >= 0)
            take_row(a, i, w, (struct row){.x = x, .n = n, .n_classes = n});
        else if (a->backward)
            memset(x, 0, (size_t)n * sizeof *x);
    }
}

void kd_cpu_cross_entropy(struct kd_queue *queue, const struct kd_op_cross_entropy *a)
{
    (void)queue;
    all_rows(a, &(struct weights){
                    .smoothing = a->smoothing ? *a->smoothing : 0.0f,
                    .mix = a->other_labels ? a->turn->mix : 0.0f,
                    .scale = (a->scale ? *a->scale : 1.0f) / (float)a->turn->n_counted,
                });
}
