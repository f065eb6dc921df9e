/* pool.cu - pooling. A thread makes one element of what is written, or those of a group of
 * channels, from all that goes into it: no two add to the same one, and neighbouring threads read
 * neighbouring channels. */
#include "kernels/cuda/images.cuh"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/table.h"

namespace
{

template <class T> struct max_of_window {
    const T *x;
    T *y;
    uint8_t *chosen;
    kd_images images;

    /* A NaN is greater than anything but a NaN. */
    static __device__ __forceinline__ bool is_greater(float value, float best)
    {
        return value > best || (value != value && best == best);
    }

    template <int N> __device__ void at(int64_t at) const
    {
        int64_t channels = images.in.channels, channel = kd_remainder(at, channels);
        kd_pixel out = kd_pixel_of(kd_quotient(at, channels), images.h, images.w);
        kd_floats<N> best = {};
        kd_bytes<N> places = {};
        bool is_first = true;
        for (int64_t i = 0; i < images.in.kernel; i++)
            for (int64_t j = 0; j < images.in.kernel; j++) {
                int64_t pixel = kd_under(images, out, i, j);
                if (pixel < 0)
                    continue;
                kd_floats<N> v = kd_load<N>(x + pixel * channels + channel);
                uint8_t place = (uint8_t)(i * images.in.kernel + j);
                KD_UNROLL
                for (int k = 0; k < N; k++)
                    if (is_first || is_greater(v.x[k], best.x[k]))
                        best.x[k] = v.x[k], places.x[k] = place;
                is_first = false;
            }
        kd_store(y + at, best);
        *reinterpret_cast<kd_bytes<N> *>(chosen + at) = places;
    }
};

/* The sum over all windows that an input element is in. chosen: of those in which it was the
 * greatest; NULL: of all. */
template <class T> struct sum_of_windows {
    const T *dy;
    const uint8_t *chosen;
    T *dx;
    kd_images images;
    float factor;

    template <int N>
    __device__ __forceinline__ void add(kd_floats<N> &sum, int64_t from, int place) const
    {
        kd_floats<N> more = kd_load<N>(dy + from);
        kd_bytes<N> places = {};
        if (chosen)
            places = *reinterpret_cast<const kd_bytes<N> *>(chosen + from);
        KD_UNROLL
        for (int k = 0; k < N; k++)
            sum.x[k] += !chosen || places.x[k] == place ? more.x[k] : 0.0f;
    }

    template <int N> __device__ void at(int64_t at) const
    {
        int64_t channels = images.in.channels, channel = kd_remainder(at, channels);
        kd_pixel in = kd_pixel_of(kd_quotient(at, channels), images.in.h, images.in.w);
        kd_floats<N> sum = {};
        for (int64_t i = 0; i < images.in.kernel; i++)
            for (int64_t j = 0; j < images.in.kernel; j++) {
                int64_t pixel = kd_over(images, in, i, j);
                if (pixel >= 0)
                    add(sum, pixel * channels + channel, (int)(i * images.in.kernel + j));
            }
        KD_UNROLL
        for (int k = 0; k < N; k++)
            sum.x[k] *= factor;
        kd_store(dx + at, sum);
    }
};

template <class T> struct mean_of_window {
    const T *x;
    T *y;
    kd_images images;
    float factor;

    template <int N> __device__ void at(int64_t at) const
    {
        int64_t channels = images.in.channels, channel = kd_remainder(at, channels);
        kd_pixel out = kd_pixel_of(kd_quotient(at, channels), images.h, images.w);
        kd_floats<N> sum = {};
        for (int64_t i = 0; i < images.in.kernel; i++)
            for (int64_t j = 0; j < images.in.kernel; j++) {
                int64_t pixel = kd_under(images, out, i, j);
                if (pixel < 0)
                    continue;
                kd_floats<N> more = kd_load<N>(x + pixel * channels + channel);
                KD_UNROLL
                for (int k = 0; k < N; k++)
                    sum.x[k] += more.x[k];
            }
        KD_UNROLL
        for (int k = 0; k < N; k++)
            sum.x[k] *= factor;
        kd_store(y + at, sum);
    }
};

float share_of(const struct kd_window *window)
{
    return 1.0f / (float)(window->kernel * window->kernel);
}

/* ---- over all positions: a block takes 32 channels of a sample */

constexpr int ACROSS = 32, DOWN = 8;

template <class T> __global__ void mean_of_positions(struct kd_op_mean_pool a, int64_t across)
{
    KD_SHARED(float, of_rows, [DOWN][ACROSS]);
    int64_t sample = blockIdx.x / across;
    int64_t channel = blockIdx.x % across * ACROSS + threadIdx.x;
    const T *x = (const T *)a.x + sample * a.positions * a.channels;
    float sum = 0.0f;
    if (channel < a.channels)
        for (int64_t p = threadIdx.y; p < a.positions; p += DOWN)
            sum += kd_float(x[p * a.channels + channel]);
    of_rows[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || channel >= a.channels)
        return;
    for (int y = 1; y < DOWN; y++)
        sum += of_rows[y][threadIdx.x];
    kd_put((T *)a.y + sample * a.channels + channel,
           a.positions > 0 ? sum / (float)a.positions : 0.0f);
}

template <class T> struct spread_over_positions {
    const T *dy;
    T *dx;
    int64_t positions, channels;

    template <int N> __device__ void at(int64_t at) const
    {
        int64_t sample = kd_quotient(at, positions * channels);
        kd_floats<N> v = kd_load<N>(dy + sample * channels + kd_remainder(at, channels));
        KD_UNROLL
        for (int k = 0; k < N; k++)
            v.x[k] /= (float)positions;
        kd_store(dx + at, v);
    }
};

} // namespace

void kd_cuda_max_pool(struct kd_queue *queue, const struct kd_op_max_pool *a)
{
    kd_images images = kd_images_of(&a->window);
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(queue, kd_out_pixels(images) * a->window.channels,
                  kd_in_groups<T>(a->window.channels, a->x, a->y, a->chosen),
                  max_of_window<T>{(const T *)a->x, (T *)a->y, a->chosen, images});
    });
}

void kd_cuda_max_pool_backward(struct kd_queue *queue, const struct kd_op_max_pool_backward *a)
{
    kd_images images = kd_images_of(&a->window);
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(queue, kd_in_pixels(images) * a->window.channels,
                  kd_in_groups<T>(a->window.channels, a->dy, a->chosen, a->dx),
                  sum_of_windows<T>{(const T *)a->dy, a->chosen, (T *)a->dx, images, 1.0f});
    });
}

void kd_cuda_avg_pool(struct kd_queue *queue, const struct kd_op_avg_pool *a)
{
    kd_images images = kd_images_of(&a->window);
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(queue, kd_out_pixels(images) * a->window.channels,
                  kd_in_groups<T>(a->window.channels, a->x, a->y),
                  mean_of_window<T>{(const T *)a->x, (T *)a->y, images, share_of(&a->window)});
    });
}

void kd_cuda_avg_pool_backward(struct kd_queue *queue, const struct kd_op_avg_pool_backward *a)
{
    kd_images images = kd_images_of(&a->window);
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(
            queue, kd_in_pixels(images) * a->window.channels,
            kd_in_groups<T>(a->window.channels, a->dy, a->dx),
            sum_of_windows<T>{(const T *)a->dy, nullptr, (T *)a->dx, images, share_of(&a->window)});
    });
}

void kd_cuda_mean_pool(struct kd_queue *queue, const struct kd_op_mean_pool *a)
{
    int64_t across = (a->channels + ACROSS - 1) / ACROSS;
    if (a->n <= 0 || across <= 0)
        return;
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = mean_of_positions<decltype(stored)>;
        KD_LAUNCH(kernel, (unsigned)(a->n * across), dim3(ACROSS, DOWN), 0, queue->stream, *a,
                  across);
    });
}

void kd_cuda_mean_pool_backward(struct kd_queue *queue, const struct kd_op_mean_pool_backward *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(
            queue, a->n * a->positions * a->channels, kd_in_groups<T>(a->channels, a->dy, a->dx),
            spread_over_positions<T>{(const T *)a->dy, (T *)a->dx, a->positions, a->channels});
    });
}
