/* batchnorm.cu - sums of columns, then one pass over the elements; what belongs to a channel alone
 * is a launch of its own. */
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/table.h"

namespace
{

template <class T> struct value_and_square {
    const T *x;
    int64_t channels;

    template <int N>
    __device__ __forceinline__ void at(int64_t row, int64_t channel, kd_pair *sums) const
    {
        kd_floats<N> v = kd_load<N>(x + row * channels + channel);
        KD_UNROLL
        for (int k = 0; k < N; k++) {
            sums[k].a += (double)v.x[k];
            sums[k].b += (double)v.x[k] * (double)v.x[k];
        }
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

/* What the pass over the elements needs of a channel, in arrays one after the other: read once for
 * a group of channels. Of the forward pass y = (x - mean) scale + bias. */
struct line {
    const float *mean, *scale, *bias;
};

enum { N_OF_LINE = 3 };

/* room: [N_OF_LINE][channels], and where the op is not training [2][channels] of its own for
 * saved. */
__global__ void take_statistics(struct kd_op_batchnorm a, float *saved, float *room)
{
    double n = a.training ? global_count(a.turn, a.positions) : 0.0;
    for (int64_t c = kd_thread_at(); c < a.channels; c += kd_n_threads()) {
        if (n > 1.0)
            take_batch(a, saved, c, n);
        else
            take_running(a, saved, c);
        room[c] = saved[c];
        room[a.channels + c] = a.weight[c] * saved[a.channels + c];
        room[2 * a.channels + c] = a.bias[c];
    }
}

template <class T> struct normalize {
    const T *x;
    struct line line;
    T *y;
    int64_t channels;
    bool is_relu;

    template <int N> __device__ void at(int64_t i) const
    {
        int64_t c = kd_remainder(i, channels);
        kd_floats<N> v = kd_load<N>(x + i), mean = kd_load<N>(line.mean + c);
        kd_floats<N> scale = kd_load<N>(line.scale + c), bias = kd_load<N>(line.bias + c);
        KD_UNROLL
        for (int k = 0; k < N; k++) {
            v.x[k] = (v.x[k] - mean.x[k]) * scale.x[k] + bias.x[k];
            v.x[k] = is_relu && v.x[k] < 0.0f ? 0.0f : v.x[k]; /* a NaN stays one */
        }
        kd_store(y + i, v);
    }
};

/* ---- backward */

/* dy where y is positive; y NULL: everywhere. */
template <int N, class T>
__device__ __forceinline__ kd_floats<N> gradients_of(const T *dy, const T *y, int64_t i)
{
    kd_floats<N> g = kd_load<N>(dy + i);
    if (!y)
        return g;
    kd_floats<N> mask = kd_load<N>(y + i);
    KD_UNROLL
    for (int k = 0; k < N; k++)
        g.x[k] = mask.x[k] > 0.0f ? g.x[k] : 0.0f;
    return g;
}

/* Of g and g (x - mean). */
template <class T> struct gradient_sums {
    const T *dy, *x, *y;
    const float *saved;
    int64_t channels;

    template <int N>
    __device__ __forceinline__ void at(int64_t row, int64_t channel, kd_pair *sums) const
    {
        int64_t i = row * channels + channel;
        kd_floats<N> g = gradients_of<N>(dy, y, i), v = kd_load<N>(x + i);
        kd_floats<N> mean = kd_load_any<N>(saved + channel);
        KD_UNROLL
        for (int k = 0; k < N; k++) {
            sums[k].a += (double)g.x[k];
            sums[k].b += (double)(g.x[k] * (v.x[k] - mean.x[k]));
        }
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

/* Of the backward pass dx = scale (g - share - (x - mean) slope). */
struct back_line {
    const float *mean, *slope, *share, *scale;
};

enum { N_OF_BACK_LINE = 4 };

/* room: [N_OF_BACK_LINE][channels]. Of a batch of one row the statistics were not its own. */
__global__ void take_back_line(struct kd_op_batchnorm_backward a, float *room)
{
    double n = global_count(a.turn, a.positions);
    float of_n = n > 1.0 ? (float)(1.0 / n) : 0.0f;
    for (int64_t c = kd_thread_at(); c < a.channels; c += kd_n_threads()) {
        float rstd = a.saved[a.channels + c];
        room[c] = a.saved[c];
        room[a.channels + c] = rstd * (float)a.sums[a.channels + c] * of_n;
        room[2 * a.channels + c] = (float)a.sums[c] * of_n;
        room[3 * a.channels + c] = a.weight[c] * rstd;
    }
}

template <class T> struct back {
    const T *dy, *x, *y;
    struct back_line line;
    T *dx;
    int64_t channels;
    bool adds;

    template <int N> __device__ void at(int64_t i) const
    {
        int64_t c = kd_remainder(i, channels);
        kd_floats<N> g = gradients_of<N>(dy, y, i), v = kd_load<N>(x + i), sum = {};
        kd_floats<N> mean = kd_load<N>(line.mean + c), slope = kd_load<N>(line.slope + c);
        kd_floats<N> share = kd_load<N>(line.share + c), scale = kd_load<N>(line.scale + c);
        if (adds)
            sum = kd_load<N>(dx + i);
        KD_UNROLL
        for (int k = 0; k < N; k++)
            sum.x[k] += scale.x[k] * (g.x[k] - share.x[k] - (v.x[k] - mean.x[k]) * slope.x[k]);
        kd_store(dx + i, sum);
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
        kd_column_sums<T>(queue, a->rows, a->channels, kd_all_aligned(a->x),
                          value_and_square<T>{(const T *)a->x, a->channels},
                          store_sums{a->sums, a->channels});
    });
}

void kd_cuda_batchnorm(struct kd_queue *queue, const struct kd_op_batchnorm *a)
{
    if (a->channels <= 0)
        return;
    int64_t n = a->channels, n_rooms = a->training ? N_OF_LINE : N_OF_LINE + 2;
    float *room = (float *)kd_cuda_scratch(queue, (size_t)(n_rooms * n) * sizeof *room);
    float *saved = a->training ? a->saved : room + N_OF_LINE * n;
    KD_LAUNCH(take_statistics, kd_blocks(n), KD_THREADS, 0, queue->stream, *a, saved, room);
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        bool in_groups = kd_in_groups<T>(n, a->x, a->y);
        kd_map<T>(queue, a->rows * n, in_groups,
                  normalize<T>{(const T *)a->x,
                               {room, room + n, room + 2 * n},
                               (T *)a->y,
                               n,
                               a->activation == KD_ACTIVATION_RELU});
    });
}

void kd_cuda_batchnorm_backward_sums(struct kd_queue *queue,
                                     const struct kd_op_batchnorm_backward_sums *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        const T *y = mask_of<T>(a->activation, a->y);
        kd_column_sums<T>(
            queue, a->rows, a->channels, kd_all_aligned(a->dy, a->x, y),
            gradient_sums<T>{(const T *)a->dy, (const T *)a->x, y, a->saved, a->channels},
            store_gradients{a->sums, a->saved, a->dweight, a->dbias, a->channels, a->beta != 0.0f});
    });
}

void kd_cuda_batchnorm_backward(struct kd_queue *queue, const struct kd_op_batchnorm_backward *a)
{
    int64_t n = a->channels;
    if (a->rows <= 0 || n <= 0)
        return;
    float *room = (float *)kd_cuda_scratch(queue, (size_t)(N_OF_BACK_LINE * n) * sizeof *room);
    struct back_line line = {room, room + n, room + 2 * n, room + 3 * n};
    KD_LAUNCH(take_back_line, kd_blocks(n), KD_THREADS, 0, queue->stream, *a, room);
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        const T *y = mask_of<T>(a->activation, a->y);
        bool in_groups = kd_in_groups<T>(n, a->dy, a->x, y, a->dx);
        kd_map<T>(
            queue, a->rows * n, in_groups,
            back<T>{(const T *)a->dy, (const T *)a->x, y, line, (T *)a->dx, n, a->beta != 0.0f});
    });
}
