/* cross_entropy.cu - each row by a warp, or by a block where there are many classes: a look for the greatest logit, the sum of
 * exponentials, and the gradient in the logits' place. What rows add to the sums lies in scratch until one block adds it up. */
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/table.h"

namespace
{

constexpr int TOP = 5;

/* What a row adds. */
struct row_sums {
    double loss;
    int is_counted, is_correct, is_top5;
};

/* What all rows share. */
struct weights {
    float smoothing, mix, scale;
};

/* A row of logits, and what it is reduced to. */
template <class T> struct row {
    T *x;
    int64_t n, label, other;
    float max;       /* a NaN is never the greatest; it comes back in the sum of the exponentials */
    double sum;      /* of x, for label smoothing */
    double sum_exp;  /* of e^(x - max) */
    int64_t n_above; /* logits that are greater than the label's, or equal and before it */
};

/* body(j, x[j]) for the thread's logits, a group of neighbours at a time where they may be read so; what it makes of them is kept when
 * `writes`. */
template <class Rows, bool writes, class T, class Body>
__device__ __forceinline__ void each_logit(const struct row<T> &row, Body body)
{
    constexpr int GROUP = KD_GROUP<T>;
    bool in_groups = row.n % GROUP == 0 && (uintptr_t)row.x % 16 == 0;
    int64_t n_groups = in_groups ? row.n / GROUP : 0;
    for (int64_t group = Rows::thread(); group < n_groups; group += Rows::N_THREADS) {
        kd_floats<GROUP> v = kd_load<GROUP>(row.x + GROUP * group);
        for (int k = 0; k < GROUP; k++)
            body(GROUP * group + k, v.x[k]);
        if (writes)
            kd_store(row.x + GROUP * group, v);
    }
    for (int64_t j = GROUP * n_groups + Rows::thread(); j < row.n; j += Rows::N_THREADS) {
        float x = kd_float(row.x[j]);
        body(j, x);
        if (writes)
            kd_put(&row.x[j], x);
    }
}

template <class Rows, class T> __device__ void look(struct row<T> &row, float smoothing)
{
    float max = -INFINITY, wanted = kd_float(row.x[row.label]);
    int64_t n_above = 0, label = row.label;
    double sum = 0.0, sum_exp = 0.0;
    each_logit<Rows, false>(row, [&](int64_t j, float x) {
        max = kd_greater::of(max, x);
        n_above += x > wanted || (x == wanted && j < label);
        sum += (double)x;
    });
    max = row.max = Rows::template reduce<kd_greater>(max, -INFINITY);
    row.n_above = Rows::template reduce<kd_plus>(n_above, (int64_t)0);
    row.sum = smoothing > 0.0f ? Rows::template reduce<kd_plus>(sum, 0.0) : 0.0;
    each_logit<Rows, false>(row, [&](int64_t, float x) { sum_exp += (double)expf(x - max); });
    row.sum_exp = Rows::template reduce<kd_plus>(sum_exp, 0.0);
}

template <class T>
__device__ double loss_of(const struct row<T> &row, float wanted, float other,
                          const struct weights &w)
{
    double log_sum = log(row.sum_exp) + (double)row.max;
    double mixed = (1.0 - (double)w.mix) * (double)wanted + (double)w.mix * (double)other;
    return log_sum - (1.0 - (double)w.smoothing) * mixed -
           (double)w.smoothing * row.sum / (double)row.n;
}

/* Each thread writes what it alone reads. */
template <class Rows, class T>
__device__ void write_gradient(const struct row<T> &row, const struct weights &w)
{
    float factor = (float)((double)w.scale / row.sum_exp);
    float everywhere = w.scale * w.smoothing / (float)row.n;
    float sharp = w.scale * (1.0f - w.smoothing);
    each_logit<Rows, true>(row, [&](int64_t j, float &x) {
        x = expf(x - row.max) * factor - everywhere;
        if (j == row.label)
            x -= sharp * (1.0f - w.mix);
        if (j == row.other)
            x -= sharp * w.mix;
    });
}

template <class Rows, class T>
__device__ void take_row(const struct kd_op_cross_entropy &a, int64_t i, const struct weights &w,
                         struct row_sums *sums)
{
    int64_t label = a.labels[i];
    struct row<T> row = {
    };
    row.x = (T *)a.logits + i * a.n_classes;
    row.n = a.n_classes;
    row.label = label;
    row.other = a.other_labels ? a.other_labels[i] : label;
    float wanted = kd_float(row.x[label]), mixed = kd_float(row.x[row.other]);
    look<Rows>(row, w.smoothing);
    bool is_sound = row.sum_exp == row.sum_exp;
    if (Rows::thread() == 0)
        *sums = {loss_of(row, wanted, mixed, w), 1, is_sound && row.n_above == 0,
                 is_sound && row.n_above < TOP};
    if (a.backward)
        write_gradient<Rows>(row, w);
}

template <class Rows, class T>
__global__ void take_rows(struct kd_op_cross_entropy a, struct row_sums *sums)
{
    int64_t i = Rows::row();
    if (i >= a.rows)
        return; /* the whole warp, or block */
    struct weights w = {a.smoothing ? *a.smoothing : 0.0f, a.other_labels ? a.turn->mix : 0.0f,
                        (a.scale ? *a.scale : 1.0f) / (float)a.turn->n_counted};
    if (a.labels[i] >= 0) {
        take_row<Rows, T>(a, i, w, &sums[i]);
        return;
    }
    if (Rows::thread() == 0)
        sums[i] = {};
    if (a.backward)
        for (int64_t j = Rows::thread(); j < a.n_classes; j += Rows::N_THREADS)
            kd_put((T *)a.logits + i * a.n_classes + j, 0.0f);
}

__global__ void add_rows(const struct row_sums *rows, int64_t n, struct kd_loss_sums *sums)
{
    double loss = 0.0;
    int64_t n_correct = 0, n_top5 = 0, n_counted = 0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
        loss += rows[i].loss;
        n_correct += rows[i].is_correct;
        n_top5 += rows[i].is_top5;
        n_counted += rows[i].is_counted;
    }
    loss = kd_block_sum(loss);
    n_correct = kd_block_sum(n_correct);
    n_top5 = kd_block_sum(n_top5);
    n_counted = kd_block_sum(n_counted);
    if (threadIdx.x > 0)
        return;
    sums->loss += loss;
    sums->n_correct += n_correct;
    sums->n_top5 += n_top5;
    sums->n_counted += n_counted;
}

template <class Rows>
void launch(struct kd_queue *queue, const struct kd_op_cross_entropy *a, struct row_sums *sums)
{
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = take_rows<Rows, decltype(stored)>;
        KD_LAUNCH(kernel, Rows::blocks_of(a->rows), KD_THREADS, 0, queue->stream, *a, sums);
    });
}

} // namespace

void kd_cuda_cross_entropy(struct kd_queue *queue, const struct kd_op_cross_entropy *a)
{
    if (a->rows <= 0 || a->n_classes <= 0)
        return;
    size_t bytes = (size_t)a->rows * sizeof(struct row_sums);
    struct row_sums *sums = (struct row_sums *)kd_cuda_scratch(queue, bytes);
    if (a->n_classes <= KD_COLUMNS_OF_A_WARP)
        launch<kd_warp_rows>(queue, a, sums);
    else
        launch<kd_block_rows>(queue, a, sums);
    KD_LAUNCH(add_rows, 1, KD_THREADS, 0, queue->stream, sums, a->rows, a->sums);
}
