/* cross_entropy.c - each row in three passes: a look for the greatest logit, exponentials (in the logits' place when their gradient is
 * wanted) with their sum, and the gradient out of them. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/table.h"

enum { TOP = 5, BLOCK = 4096 }; /* a float's precision is enough for a block's sum */

/* A row of logits, and what it is reduced to. */
struct row {
    float *x;
    int64_t n, whole;     /* classes; those of them in whole vectors */
    float rest[KD_LANES]; /* a copy of the others, then -infinity */
    float max;       /* a NaN is never the greatest; it comes back in the sum of the exponentials */
    double sum;      /* of x, for label smoothing */
    double sum_exp;  /* of e^(x - max) */
    int64_t n_above; /* logits that are greater than the label's, or equal and before it */
};

/* n_readable: floats from x on to the end of all logits. What lies behind a row is read along where there is enough, which is faster
 * than to copy a number of floats that the compiler does not know. */
KD_INLINE struct row row_at(float *x, int64_t n, int64_t n_readable)
{
    struct row row = {.x = x, .n = n, .whole = kd_lanes_down(n)};
    int64_t n_rest = n - row.whole;
    if (row.whole + KD_LANES <= n_readable)
        *(kd_lanes_at *)row.rest = *(const kd_lanes_at *)(x + row.whole);
    else
        memcpy(row.rest, x + row.whole, (size_t)n_rest * sizeof *x);
    kd_lanes_cut(row.rest, n_rest, -INFINITY);
    return row;
}

/* ---- the first pass */

struct look {
    kd_lanes max;
    kd_lanes_int greater, equal; /* than the label's logit, to it: how often, below 0 */
};

KD_INLINE void look_at(const float *x, float value, struct look *look)
{
    kd_lanes now = *(const kd_lanes_at *)x;
    kd_lanes_int above = now > look->max;
    look->max = (kd_lanes)((above & (kd_lanes_int)now) | (~above & (kd_lanes_int)look->max));
    look->greater += now > value;
    look->equal += now == value;
}

KD_INLINE int64_t count(kd_lanes_int lanes)
{
    int32_t sum = 0;
    for (int l = 0; l < KD_LANES; l++)
        sum -= lanes[l];
    return sum;
}

KD_INLINE void find_max(struct row *row, int64_t label)
{
    struct look look = {.max = (kd_lanes){0} - INFINITY};
    float value = row->x[label];
    for (int64_t j = 0; j < row->whole; j += KD_LANES)
        look_at(row->x + j, value, &look);
    look_at(row->rest, value, &look);
    row->max = kd_lanes_max((const kd_lanes_at *)&look.max);
    row->n_above = count(look.greater);
    /* Ties are rare, so that those before the label are looked for only where there are some. */
    bool ties = count(look.equal) > 1;
    for (int64_t j = 0; ties && j < label; j++)
        row->n_above += row->x[j] == value;
}

KD_INLINE void add_up(struct row *row)
{
    kd_lanes_cut(row->rest, row->n - row->whole, 0.0f);
    row->sum = (double)kd_lanes_sum((const kd_lanes_at *)row->rest);
    kd_lanes_cut(row->rest, row->n - row->whole, -INFINITY);
    for (int64_t at = 0; at < row->whole; at += BLOCK) {
        kd_lanes lanes = {0};
        int64_t end = row->whole - at < BLOCK ? row->whole : at + BLOCK;
        for (int64_t j = at; j < end; j += KD_LANES)
            lanes += *(const kd_lanes_at *)(row->x + j);
        row->sum += (double)kd_lanes_sum((const kd_lanes_at *)&lanes);
    }
}

/* ---- the second pass */

/* e^(x - max) of KD_LANES logits. */
KD_INLINE kd_lanes exponentials(const float *x, float max)
{
    float y[KD_LANES];
    for (int l = 0; l < KD_LANES; l++)
        y[l] = kd_fast_exp(x[l] - max);
    return *(const kd_lanes_at *)y;
}

/* The exponentials take the logits' place where `stay`. */
KD_INLINE void exponentiate(struct row *row, bool stay)
{
    kd_lanes now = exponentials(row->rest, row->max);
    *(kd_lanes_at *)row->rest = now;
    row->sum_exp = (double)kd_lanes_sum((const kd_lanes_at *)&now);
    for (int64_t at = 0; at < row->whole; at += BLOCK) {
        kd_lanes lanes = {0};
        int64_t end = row->whole - at < BLOCK ? row->whole : at + BLOCK;
        for (int64_t j = at; j < end; j += KD_LANES) {
            lanes += now = exponentials(row->x + j, row->max);
            if (stay)
                *(kd_lanes_at *)(row->x + j) = now;
        }
        row->sum_exp += (double)kd_lanes_sum((const kd_lanes_at *)&lanes);
    }
}

/* ---- the third pass, and the whole */

/* What all rows share. */
struct weights {
    float smoothing, mix, scale;
};

KD_INLINE double loss_of(const struct row *row, float wanted, float other, const struct weights *w)
{
    double log_sum = log(row->sum_exp) + (double)row->max;
    double mixed = (1.0 - (double)w->mix) * (double)wanted + (double)w->mix * (double)other;
    return log_sum - (1.0 - (double)w->smoothing) * mixed -
           (double)w->smoothing * row->sum / (double)row->n;
}

KD_INLINE void to_gradient(struct row *row, int64_t label, int64_t other, const struct weights *w)
{
    float factor = (float)((double)w->scale / row->sum_exp);
    float everywhere = w->scale * w->smoothing / (float)row->n;
    for (int64_t j = 0; j < row->whole; j += KD_LANES)
        *(kd_lanes_at *)(row->x + j) = *(kd_lanes_at *)(row->x + j) * factor - everywhere;
    *(kd_lanes_at *)row->rest = *(kd_lanes_at *)row->rest * factor - everywhere;
    memcpy(row->x + row->whole, row->rest, (size_t)(row->n - row->whole) * sizeof *row->x);
    row->x[label] -= w->scale * (1.0f - w->smoothing) * (1.0f - w->mix);
    row->x[other] -= w->scale * (1.0f - w->smoothing) * w->mix;
}

KD_INLINE void one_row(const struct kd_op_cross_entropy *a, int64_t i, const struct weights *w,
                       struct kd_loss_sums *sums)
{
    int64_t n = a->n_classes, label = a->labels[i];
    int64_t other = a->other_labels ? a->other_labels[i] : label;
    if (label < 0) {
        for (int64_t j = 0; j < n && a->backward; j++)
            a->logits[i * n + j] = 0.0f;
        return;
    }
    struct row row = row_at(a->logits + i * n, n, (a->rows - i) * n);
    float wanted = row.x[label], mixed = row.x[other];
    find_max(&row, label);
    if (w->smoothing > 0.0f)
        add_up(&row);
    exponentiate(&row, a->backward);
    bool sound = !isnan(row.sum_exp);
    sums->loss += loss_of(&row, wanted, mixed, w);
    sums->n_correct += sound && row.n_above == 0;
    sums->n_top5 += sound && row.n_above < TOP;
    sums->n_counted++;
    if (a->backward)
        to_gradient(&row, label, other, w);
}

KD_SIMD static void all_rows(const struct kd_op_cross_entropy *a, const struct weights *w)
{
    for (int64_t i = 0; i < a->rows; i++)
        one_row(a, i, w, a->sums);
}

void kd_cpu_cross_entropy(struct kd_queue *queue, const struct kd_op_cross_entropy *a)
{
    (void)queue;
    all_rows(a, &(struct weights){
                    .smoothing = a->smoothing ? *a->smoothing : 0.0f,
                    .mix = a->other_labels ? a->turn->mix : 0.0f,
                    .scale = 1.0f / (float)a->turn->n_counted,
                });
}
