/* cross_entropy.cu - each row by a warp, or by a block where there are many classes: a look for the
 * greatest logit, the sum of exponentials, and the gradient in the logits' place. What a block's
 * rows add to the sums lies in scratch until the last block adds it up. */
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/table.h"

namespace
{

constexpr int TOP = 5;

/* What a row adds, or several. */
struct row_sums {
    double loss;
    int64_t n_counted, n_correct, n_top5;

    __device__ void add(const struct row_sums &more)
    {
        loss += more.loss;
        n_counted += more.n_counted;
        n_correct += more.n_correct;
        n_top5 += more.n_top5;
    }
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

/* body(j, neighbours) for the thread's logits; what it makes of them is kept when `writes`. */
template <class Rows, bool writes, class T, class Body>
__device__ __forceinline__ void each_logit(const struct row<T> &row, Body body)
{
    int64_t first = kd_first_group(row.x, row.n);
    kd_each_of_row<Rows, KD_GROUP<T>>(first, row.n, [&]<int N>(int64_t j, kd_some<N>) {
        kd_floats<N> v = kd_load<N>(row.x + j);
        body(j, v);
        if (writes)
            kd_store(row.x + j, v);
    });
}

/* The greatest number so far, and the sum of e^(x - max) of what was finite beside it. */
struct exponentials {
    float max;
    double sum;

    /* Before anything but -infinity came, nothing has a distance to the greatest. */
    template <int N> __device__ __forceinline__ void add(const kd_floats<N> &v)
    {
        float greatest = max;
        KD_UNROLL
        for (int k = 0; k < N; k++)
            greatest = kd_greater::of(greatest, v.x[k]);
        move(greatest);
        KD_UNROLL
        for (int k = 0; k < N; k++)
            sum += v.x[k] == -INFINITY ? 0.0 : (double)expf(v.x[k] - max);
    }
    __device__ __forceinline__ void move(float greatest)
    {
        if (greatest == max)
            return;
        sum *= (double)expf(max - greatest);
        max = greatest;
    }
};

/* One pass over the row. */
template <class Rows, class T> __device__ void look(struct row<T> &row, float smoothing)
{
    struct exponentials exponentials = {-INFINITY, 0.0};
    float wanted = kd_float(row.x[row.label]);
    int64_t n_above = 0, label = row.label;
    double sum = 0.0;
    each_logit<Rows, false>(row, [&]<int N>(int64_t j, const kd_floats<N> &v) {
        exponentials.add(v);
        for (int k = 0; k < N; k++) {
            n_above += v.x[k] > wanted || (v.x[k] == wanted && j + k < label);
            sum += (double)v.x[k];
        }
    });
    row.max = Rows::template reduce<kd_greater>(exponentials.max, -INFINITY);
    exponentials.move(row.max);
    row.sum_exp = Rows::template reduce<kd_plus>(exponentials.sum, 0.0);
    row.n_above = Rows::template reduce<kd_plus>(n_above, (int64_t)0);
    row.sum = smoothing > 0.0f ? Rows::template reduce<kd_plus>(sum, 0.0) : 0.0;
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
    each_logit<Rows, true>(row, [&]<int N>(int64_t j, kd_floats<N> &v) {
        for (int k = 0; k < N; k++) {
            v.x[k] = expf(v.x[k] - row.max) * factor - everywhere;
            if (j + k == row.label)
                v.x[k] -= sharp * (1.0f - w.mix);
            if (j + k == row.other)
                v.x[k] -= sharp * w.mix;
        }
    });
}

/* What the row adds, for its thread 0. */
template <class Rows, class T>
__device__ struct row_sums take_counted(const struct kd_op_cross_entropy &a, int64_t i,
                                        const struct weights &w)
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
    struct row_sums sums = {loss_of(row, wanted, mixed, w), 1, is_sound && row.n_above == 0,
                            is_sound && row.n_above < TOP};
    if (a.backward)
        write_gradient<Rows>(row, w);
    return sums;
}

template <class Rows, class T>
__device__ struct row_sums take_row(const struct kd_op_cross_entropy &a, int64_t i,
                                    const struct weights &w)
{
    if (a.labels[i] >= 0)
        return take_counted<Rows, T>(a, i, w);
    if (a.backward)
        for (int64_t j = Rows::thread(); j < a.n_classes; j += Rows::N_THREADS)
            kd_put((T *)a.logits + i * a.n_classes + j, 0.0f);
    return {};
}

/* For thread 0, in the order of the rows. */
template <class Rows> __device__ struct row_sums sums_of_block(const struct row_sums &mine)
{
    KD_SHARED(struct row_sums, of_rows, [Rows::ROWS_OF_BLOCK]);
    struct row_sums sums = {};
    if (Rows::thread() == 0)
        of_rows[threadIdx.x / Rows::N_THREADS] = mine;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int i = 0; i < Rows::ROWS_OF_BLOCK; i++)
            sums.add(of_rows[i]);
    return sums;
}

__device__ void add_blocks(const struct row_sums *of_blocks, int64_t n, struct kd_loss_sums *sums)
{
    struct row_sums mine = {};
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
        mine.add(of_blocks[i]);
    mine.loss = kd_block_sum(mine.loss);
    mine.n_correct = kd_block_sum(mine.n_correct);
    mine.n_top5 = kd_block_sum(mine.n_top5);
    mine.n_counted = kd_block_sum(mine.n_counted);
    if (threadIdx.x > 0)
        return;
    sums->loss += mine.loss;
    sums->n_correct += mine.n_correct;
    sums->n_top5 += mine.n_top5;
    sums->n_counted += mine.n_counted;
}

template <class Rows, class T>
__global__ void take_rows(struct kd_op_cross_entropy a, struct row_sums *of_blocks,
                          unsigned *counter)
{
    struct weights w = {a.smoothing ? *a.smoothing : 0.0f, a.other_labels ? a.turn->mix : 0.0f,
                        (a.scale ? *a.scale : 1.0f) / (float)a.turn->n_counted};
    struct row_sums sums = {};
    if (Rows::row() < a.rows) /* for the whole warp, or block */
        sums = take_row<Rows, T>(a, Rows::row(), w);
    sums = sums_of_block<Rows>(sums);
    if (threadIdx.x == 0)
        of_blocks[blockIdx.x] = sums;
    if (kd_is_last_block(counter))
        add_blocks(of_blocks, gridDim.x, a.sums);
}

template <class Rows> void launch(struct kd_queue *queue, const struct kd_op_cross_entropy *a)
{
    unsigned n_blocks = Rows::blocks_of(a->rows);
    struct row_sums *sums = (struct row_sums *)kd_cuda_scratch(queue, n_blocks * sizeof *sums);
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = take_rows<Rows, decltype(stored)>;
        KD_LAUNCH(kernel, n_blocks, KD_THREADS, 0, queue->stream, *a, sums, kd_cuda_counter(queue));
    });
}

} // namespace

void kd_cuda_cross_entropy(struct kd_queue *queue, const struct kd_op_cross_entropy *a)
{
    if (a->rows <= 0 || a->n_classes <= 0)
        return;
    if (a->n_classes <= KD_COLUMNS_OF_A_WARP)
        launch<kd_warp_rows>(queue, a);
    else
        launch<kd_block_rows>(queue, a);
}
