/* batchnorm.cu - sums of columns, then one pass over the elements; what belongs to a channel alone is a launch of its own. */
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/table.h"

namespace
{

template <class T> struct value_and_square {
    const T *x;
    int64_t channels;

    __device__ kd_pair at(int64_t row, int64_t channel) const
    {
        double value = (double)kd_float(x[row * channels + channel]);
        return {value, value * value};
    }
};

struct store_sums {
    double *sums;
    int64_t channels;

    __device__ void take(int64_t channel, kd_pair both) const
    {
        sums[channel] = both.a;
        sums[channels + channel] = both.b;
    }
};

/* ---- forward */

__device__ double global_count(const struct kd_turn *turn, int64_t positions)
{
    return (double)turn->n_global * (double)positions;
}

/* The batch's own statistics, n > 1, into saved and the running ones. */
__device__ void take_batch(const struct kd_op_batchnorm &a, float *saved, int64_t c, double n)
{
    double mean = a.sums[c] / n, variance = a.sums[a.channels + c] / n - mean * mean;
    variance = variance < 0.0 ? 0.0 : variance;
    saved[c] = (float)mean;
    saved[a.channels + c] = (float)(1.0 / sqrt(variance + (double)a.epsilon));
    a.running_mean[c] += a.momentum * ((float)mean - a.running_mean[c]);
    a.running_variance[c] +=
        a.momentum * ((float)(variance * n / (n - 1.0)) - a.running_variance[c]);
}

__device__ void take_running(const struct kd_op_batchnorm &a, float *saved, int64_t c)
{
    saved[c] = a.running_mean[c];
    saved[a.channels + c] = (float)(1.0 / sqrt((double)a.running_variance[c] + (double)a.epsilon));
}

__global__ void take_statistics(struct kd_op_batchnorm a, float *saved)
{
    double n = a.training ? global_count(a.turn, a.positions) : 0.0;
    for (int64_t c = kd_thread_at(); c < a.channels; c += kd_n_threads())
        if (n > 1.0)
            take_batch(a, saved, c, n);
        else
            take_running(a, saved, c);
}

/* saved: [2][channels], mean and 1 / deviation. */
template <class T> struct normalize {
    const T *x;
    const float *saved, *weight, *bias;
    T *y;
    int64_t channels;
    bool is_relu;

    template <int N> __device__ void at(int64_t i) const
    {
        int64_t c = kd_remainder(i, channels);
        kd_floats<N> v = kd_load<N>(x + i);
        KD_UNROLL
        for (int k = 0; k < N; k++) {
            float scale = weight[c + k] * saved[channels + c + k];
            v.x[k] = (v.x[k] - saved[c + k]) * scale + bias[c + k];
            v.x[k] = is_relu && v.x[k] < 0.0f ? 0.0f : v.x[k]; /* a NaN stays one */
        }
        kd_store(y + i, v);
    }
};

/* ---- backward */

/* Of g and g (x - mean). y: g is dy where it is positive; NULL: everywhere. */
template <class T> struct gradient_sums {
    const T *dy, *x, *y;
    const float *saved;
    int64_t channels;

    __device__ kd_pair at(int64_t row, int64_t channel) const
    {
        int64_t i = row * channels + channel;
        float g = !y || kd_float(y[i]) > 0.0f ? kd_float(dy[i]) : 0.0f;
        return {g, (double)(g * (kd_float(x[i]) - saved[channel]))};
    }
};

struct store_gradients {
    double *sums;
    const float *saved;
    float *dweight, *dbias;
    int64_t channels;
    bool adds;

    __device__ void take(int64_t channel, kd_pair both) const
    {
        both.b *= (double)saved[channels + channel];
        sums[channel] = both.a;
        sums[channels + channel] = both.b;
        dbias[channel] = (float)both.a + (adds ? dbias[channel] : 0.0f);
        dweight[channel] = (float)both.b + (adds ? dweight[channel] : 0.0f);
    }
};

template <class T> struct back {
    const T *dy, *x, *y;
    const float *saved, *weight;
    const double *sums;
    T *dx;
    const struct kd_turn *turn;
    int64_t channels, positions;
    bool adds;

    __device__ float one(int64_t i, int64_t c, float share) const
    {
        float rstd = saved[channels + c], normal = (kd_float(x[i]) - saved[c]) * rstd;
        float g = !y || kd_float(y[i]) > 0.0f ? kd_float(dy[i]) : 0.0f;
        float mean = (float)sums[c] * share, slope = (float)sums[channels + c] * share;
        return weight[c] * rstd * (g - mean - normal * slope) + (adds ? kd_float(dx[i]) : 0.0f);
    }

    /* Of a batch of one row the statistics were not its own. */
    template <int N> __device__ void at(int64_t i) const
    {
        double n = global_count(turn, positions);
        float share = n > 1.0 ? (float)(1.0 / n) : 0.0f;
        int64_t c = kd_remainder(i, channels);
        kd_floats<N> v;
        KD_UNROLL
        for (int k = 0; k < N; k++)
            v.x[k] = one(i + k, c + k, share);
        kd_store(dx + i, v);
    }
};

template <class T> const T *mask_of(enum kd_activation activation, const void *y)
{
    return activation == KD_ACTIVATION_RELU ? (const T *)y : nullptr;
}

} // namespace

void kd_cuda_batchnorm_sums(struct kd_queue *queue, const struct kd_op_batchnorm_sums *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_column_sums(queue, a->rows, a->channels,
                       value_and_square<T>{(const T *)a->x, a->channels},
                       store_sums{a->sums, a->channels});
    });
}

void kd_cuda_batchnorm(struct kd_queue *queue, const struct kd_op_batchnorm *a)
{
    if (a->channels <= 0)
        return;
    float *saved = a->saved;
    if (!a->training)
        saved = (float *)kd_cuda_scratch(queue, 2 * (size_t)a->channels * sizeof *saved);
    KD_LAUNCH(take_statistics, kd_blocks(a->channels), KD_THREADS, 0, queue->stream, *a, saved);
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        bool in_groups = a->channels % KD_GROUP<T> == 0 && kd_all_aligned(a->x, a->y);
        kd_map<T>(queue, a->rows * a->channels, in_groups,
                  normalize<T>{(const T *)a->x, saved, a->weight, a->bias, (T *)a->y, a->channels,
                               a->activation == KD_ACTIVATION_RELU});
    });
}

void kd_cuda_batchnorm_backward_sums(struct kd_queue *queue,
                                     const struct kd_op_batchnorm_backward_sums *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_column_sums(
            queue, a->rows, a->channels,
            gradient_sums<T>{(const T *)a->dy, (const T *)a->x, mask_of<T>(a->activation, a->y),
                             a->saved, a->channels},
            store_gradients{a->sums, a->saved, a->dweight, a->dbias, a->channels, a->beta != 0.0f});
    });
}

void kd_cuda_batchnorm_backward(struct kd_queue *queue, const struct kd_op_batchnorm_backward *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        bool in_groups = a->channels % KD_GROUP<T> == 0 && kd_all_aligned(a->dx);
        kd_map<T>(queue, a->rows * a->channels, in_groups,
                  back<T>{(const T *)a->dy, (const T *)a->x, mask_of<T>(a->activation, a->y),
                          a->saved, a->weight, a->sums, (T *)a->dx, a->turn, a->channels,
                          a->positions, a->beta != 0.0f});
    });
}
