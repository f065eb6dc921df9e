/* convolution.cu - convolutions as products: in tiles of tensor cores (implicit.h), or by cuBLASLt
 * (unfolded.h), where one of them takes them, else in tiles of the CUDA cores, with the patches
 * under the windows as a matrix that is never in memory either. */
#include "kernels/cuda/images.cuh"
#include "kernels/cuda/implicit.h"
#include "kernels/cuda/parts.cuh"
#include "kernels/cuda/table.h"
#include "kernels/cuda/tiles.cuh"
#include "kernels/cuda/unfolded.h"

namespace
{

/* An element of a window: where in it, and which channel. */
struct inside {
    int64_t i, j, channel;
};

__device__ __forceinline__ inside inside_of(int64_t at, int64_t kernel, int64_t channels)
{
    int64_t place = kd_quotient(at, channels);
    return {kd_quotient(place, kernel), kd_remainder(place, kernel), kd_remainder(at, channels)};
}

/* x[pixel of the output][element of its window], 0 in the padding. */
template <class T>
__device__ __forceinline__ float patch(const T *x, const kd_images &images, int64_t pixel,
                                       int64_t element)
{
    inside e = inside_of(element, images.in.kernel, images.in.channels);
    int64_t under = kd_under(images, kd_pixel_of(pixel, images.h, images.w), e.i, e.j);
    return under < 0 ? 0.0f : kd_float(x[under * images.in.channels + e.channel]);
}

/* Rows are pixels and k elements of their windows; turned: the other way round. */
template <bool turned, class T> struct patches {
    static constexpr bool BY_K = turned;
    const T *x;
    kd_images images;

    __device__ float at(int64_t i, int64_t k) const
    {
        return turned ? patch(x, images, k, i) : patch(x, images, i, k);
    }
};

/* dy of the output pixels whose windows an input pixel is in: [pixel of the input][(place in the
 * window, c_out)]. */
template <class T> struct windows_over {
    static constexpr bool BY_K = false;
    const T *dy;
    kd_images images;
    int64_t c_out;

    __device__ float at(int64_t pixel, int64_t element) const
    {
        inside e = inside_of(element, images.in.kernel, c_out);
        int64_t over = kd_over(images, kd_pixel_of(pixel, images.in.h, images.in.w), e.i, e.j);
        return over < 0 ? 0.0f : kd_float(dy[over * c_out + e.channel]);
    }
};

/* weight[c_out][patch] as it is stored. */
template <class T> struct weights {
    static constexpr bool BY_K = false;
    const T *x;
    int64_t of_patch;

    __device__ float at(int64_t channel_out, int64_t element) const
    {
        return kd_float(x[channel_out * of_patch + element]);
    }
};

/* The same, as (channel, (place in the window, c_out)). */
template <class T> struct weights_turned {
    static constexpr bool BY_K = true;
    const T *x;
    int64_t of_patch, channels, c_out;

    __device__ float at(int64_t channel, int64_t element) const
    {
        int64_t place = kd_quotient(element, c_out), channel_out = kd_remainder(element, c_out);
        return kd_float(x[channel_out * of_patch + place * channels + channel]);
    }
};

/* dy as (c_out, pixel of the output). */
template <class T> struct gradients_turned {
    static constexpr bool BY_K = true;
    const T *dy;
    int64_t c_out;

    __device__ float at(int64_t channel_out, int64_t pixel) const
    {
        return kd_float(dy[pixel * c_out + channel_out]);
    }
};

/* bias may be NULL. */
template <class T> struct put_biased {
    const T *bias;
    T *y;
    int64_t n;

    __device__ void put(int64_t, int64_t i, int64_t j, float sum) const
    {
        kd_put(&y[i * n + j], bias ? sum + kd_float(bias[j]) : sum);
    }
};

/* y: [parts][m][n]. */
template <class T> struct put_part {
    T *y;
    int64_t m, n;
    bool adds;

    __device__ void put(int64_t part, int64_t i, int64_t j, float sum) const
    {
        T *to = y + (part * m + i) * n + j;
        kd_put(to, adds ? kd_float(*to) + sum : sum);
    }
};

template <class T> void forward(struct kd_queue *queue, const struct kd_op_conv2d *a)
{
    kd_images images = kd_images_of(&a->window);
    int64_t k = kd_of_patch(a->window);
    kd_product(queue, patches<false, T>{(const T *)a->x, images},
               weights<T>{(const T *)a->weight, k}, kd_out_pixels(images), a->c_out, k, 1,
               put_biased<T>{(const T *)a->bias, (T *)a->y, a->c_out});
}

template <class T> void to_x(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a)
{
    kd_images images = kd_images_of(&a->window);
    int64_t channels = a->window.channels;
    int64_t k = a->window.kernel * a->window.kernel * a->c_out;
    kd_product(queue, windows_over<T>{(const T *)a->dy, images, a->c_out},
               weights_turned<T>{(const T *)a->weight, kd_of_patch(a->window), channels, a->c_out},
               kd_in_pixels(images), channels, k, 1,
               put_part<T>{(T *)a->dx, kd_in_pixels(images), channels, a->beta != 0.0f});
}

template <class T>
void to_weight(struct kd_queue *queue, const struct kd_op_conv2d_backward_weight *a)
{
    kd_images images = kd_images_of(&a->window);
    int64_t m = a->c_out, n = kd_of_patch(a->window), n_pixels = kd_out_pixels(images);
    int64_t n_parts = kd_parts_of(kd_n_tiles(m, n), n_pixels);
    bool adds = a->beta != 0.0f, is_whole = n_parts == 1;
    float *sums = a->dweight;
    if (!is_whole)
        sums = (float *)kd_cuda_scratch(queue, (size_t)(n_parts * m * n) * sizeof *sums);
    kd_product(queue, gradients_turned<T>{(const T *)a->dy, a->c_out},
               patches<true, T>{(const T *)a->x, images}, m, n, n_pixels, n_parts,
               put_part<float>{sums, m, n, is_whole && adds});
    if (!is_whole)
        kd_map(queue, m * n, m * n % 4 == 0 && kd_all_aligned(sums, a->dweight),
               kd_add_parts{sums, a->dweight, m * n, n_parts, adds});
}

} // namespace

/* Patches that are the images themselves are cuBLASLt's. */
template <class Op> static bool is_plain_product(const Op *a)
{
    return a->window.kernel == 1 && a->window.stride == 1 && a->window.padding == 0;
}

/* The first of two ways that takes it, or false. */
template <class Op>
static bool by_either(struct kd_queue *queue, const Op *a,
                      bool (*implicit)(struct kd_queue *, const Op *),
                      bool (*unfolded)(struct kd_queue *, const Op *))
{
    if (is_plain_product(a))
        return unfolded(queue, a) || implicit(queue, a);
    return implicit(queue, a) || unfolded(queue, a);
}

void kd_cuda_conv2d(struct kd_queue *queue, const struct kd_op_conv2d *a)
{
    if (!by_either(queue, a, kd_implicit_conv2d, kd_unfolded_conv2d))
        kd_by_storage(queue, [&](auto stored) { forward<decltype(stored)>(queue, a); });
}

void kd_cuda_conv2d_backward_x(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a)
{
    if (!by_either(queue, a, kd_implicit_backward_x, kd_unfolded_backward_x))
        kd_by_storage(queue, [&](auto stored) { to_x<decltype(stored)>(queue, a); });
}

void kd_cuda_conv2d_backward_weight(struct kd_queue *queue,
                                    const struct kd_op_conv2d_backward_weight *a)
{
    if (!by_either(queue, a, kd_implicit_backward_weight, kd_unfolded_backward_weight))
        kd_by_storage(queue, [&](auto stored) { to_weight<decltype(stored)>(queue, a); });
}
