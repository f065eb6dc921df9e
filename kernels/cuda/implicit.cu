#include "kernels/cuda/implicit.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/parts.cuh"
#include "kernels/cuda/windows.cuh"

namespace
{

/* Tiles of which a large GPU's multiprocessors have one each. The tests' is smaller, so that small
 * images come in all tiles. */
#ifndef KD_ENOUGH_TILES
#define KD_ENOUGH_TILES 128
#endif

/* ---- what becomes of results */

/* A row of n values for each pixel of a grid, which stands in images of h x w at every stride-th
 * pixel from (row, column) on. With stride 1 it is any matrix. bias may be NULL. */
template <class T> struct put_rows {
    const T *bias;
    T *y;
    int64_t n;
    int h, w, grid_h, grid_w, stride, row, column;
    bool adds;

    __device__ __forceinline__ int64_t row_at(int64_t i) const
    {
        if (stride == 1)
            return i;
        kd_near_pixel at(i, grid_h, grid_w);
        return (int64_t)(at.image * h + at.row * stride + row) * w + at.column * stride + column;
    }
    __device__ __forceinline__ void put(int64_t i, int64_t j, const kd_floats<8> &sums) const
    {
        T *to = y + row_at(i) * n + j;
        kd_floats<8> more = {}, all = sums;
        if (bias)
            more = kd_load<8>(bias + j);
        if (adds)
            more = kd_load<8>(to);
        KD_UNROLL
        for (int k = 0; k < 8; k++)
            all.x[k] += more.x[k];
        kd_store(to, all);
    }
};

/* ---- y */

template <class T> struct forward {
    typedef kd_tensor_part<kd_place_walk, kd_windows<T>, kd_weights<T, false>, put_rows<T>> Part;
    Part whole;

    __device__ __forceinline__ Part part(unsigned) const
    {
        return whole;
    }
};

template <class T> forward<T> forward_of(const struct kd_op_conv2d *a, const kd_images &images)
{
    const struct kd_window &in = a->window;
    int h = (int)images.h, w = (int)images.w, kernel = (int)in.kernel, padding = (int)in.padding;
    int channels = (int)in.channels;
    kd_windows<T> windows = {(const T *)a->x,
                             kd_out_pixels(images),
                             (int)in.h,
                             (int)in.w,
                             channels,
                             h,
                             w,
                             (int)in.stride,
                             -padding,
                             -padding};
    kd_weights<T, false> weights = {
        (const T *)a->weight, (int)kd_of_patch(in), channels, (int)a->c_out, 0, kernel, 1};
    put_rows<T> after = {(const T *)a->bias, (T *)a->y, a->c_out, h, w, h, w, 1, 0, 0, false};
    return {{{kernel, kernel, channels}, windows, weights, after, windows.n_pixels, a->c_out}};
}

/* ---- dx */

/* Of the rows of x, or of its columns, those that leave `at` when they are divided by the stride:
 * row q of them is row q stride + at. */
struct class_of_rows {
    int n;        /* rows */
    int n_places; /* of a window, that have a row of dy over these: last, last - stride, ... */
    int last;
    int first; /* row of dy over row 0, at place `last` */
};

/* A part for each class of pixels: rows by columns. */
template <class T> struct backward_x {
    typedef kd_tensor_part<kd_place_walk, kd_windows<T>, kd_weights<T, true>, put_rows<T>> Part;
    const T *dy, *weight;
    T *dx;
    int64_t n; /* images */
    int h, w, channels, kernel, stride, padding;
    int out_h, out_w, c_out;
    bool adds;

    __device__ __forceinline__ class_of_rows class_at(int at, int size) const
    {
        class_of_rows c;
        int least = (at + padding) % stride;
        c.n = at < size ? (size - at + stride - 1) / stride : 0;
        c.n_places = least < kernel ? (kernel - least + stride - 1) / stride : 0;
        c.last = least + (c.n_places - 1) * stride;
        c.first = (at + padding - least) / stride - (c.n_places - 1);
        return c;
    }
    __device__ __forceinline__ Part part(unsigned at) const
    {
        int row = (int)at / stride, column = (int)at % stride;
        class_of_rows rows = class_at(row, h), columns = class_at(column, w);
        int64_t n_pixels = n * rows.n * columns.n;
        kd_place_walk walk = {rows.n_places, columns.n_places, c_out};
        kd_windows<T> windows = {dy,     n_pixels,  out_h, out_w,      c_out,
                                 rows.n, columns.n, 1,     rows.first, columns.first};
        kd_weights<T, true> weights = {weight, kernel * kernel * channels,        channels,
                                       c_out,  rows.last * kernel + columns.last, -stride * kernel,
                                       -stride};
        put_rows<T> after = {NULL,      dx,     channels, h,      w,   rows.n,
                             columns.n, stride, row,      column, adds};
        bool is_nothing = adds && walk.n_steps() == 0; /* zeros, to be added */
        return {walk, windows, weights, after, is_nothing ? 0 : n_pixels, channels};
    }
};

template <class T>
backward_x<T> backward_x_of(const struct kd_op_conv2d_backward_x *a, const kd_images &images)
{
    const struct kd_window &in = a->window;
    return {(const T *)a->dy, (const T *)a->weight, (T *)a->dx,     in.n,           (int)in.h,
            (int)in.w,        (int)in.channels,     (int)in.kernel, (int)in.stride, (int)in.padding,
            (int)images.h,    (int)images.w,        (int)a->c_out,  a->beta != 0.0f};
}

/* ---- dweight */

/* Sums over parts of the pixels: [part][c_out][n]. The last may have none. */
template <class T> struct backward_weight {
    typedef kd_tensor_part<kd_pixel_walk, kd_gradients_turned<T>, kd_patches_turned<T>,
                           put_rows<float>>
        Part;
    kd_gradients_turned<T> gradients;
    kd_patches_turned<T> patches;
    float *sums;
    int64_t n_pixels, of_part, m, n;
    bool adds;

    __device__ __forceinline__ Part part(unsigned at) const
    {
        kd_pixel_walk walk = {(int)(at * of_part), (int)kd_min((at + 1) * of_part, n_pixels)};
        put_rows<float> after = {NULL, sums + at * m * n, n, 0, 0, 0, 0, 1, 0, 0, adds};
        return {walk, gradients, patches, after, m, n};
    }
};

template <class T>
kd_patches_turned<T> patches_of(const struct kd_op_conv2d_backward_weight *a,
                                const kd_images &images)
{
    const struct kd_window &in = a->window;
    int64_t rows = KD_STEP / images.w, columns = KD_STEP % images.w;
    int64_t n_images = rows / images.h, stride = in.stride;
    rows %= images.h;
    kd_patches_turned<T> p = {};
    p.x = (const T *)a->x, p.n_rows = kd_of_patch(in);
    p.h = (int)in.h, p.w = (int)in.w, p.channels = (int)in.channels;
    p.kernel = (int)in.kernel, p.stride = (int)stride, p.padding = (int)in.padding;
    p.out_h = (int)images.h, p.out_w = (int)images.w;
    p.rows_on = (int)(rows * stride), p.columns_on = (int)(columns * stride);
    p.on = (int)(((n_images * in.h + rows * stride) * in.w + columns * stride) * in.channels);
    p.at_row_end = (int)((in.w - images.w) * stride * in.channels);
    p.at_image_end = (int)((in.h - images.h * stride) * in.w * in.channels);
    return p;
}

template <class T>
void to_weight(struct kd_queue *queue, const struct kd_op_conv2d_backward_weight *a)
{
    kd_images images = kd_images_of(&a->window);
    int64_t m = a->c_out, n = kd_of_patch(a->window), n_pixels = kd_out_pixels(images);
    bool is_flat = m <= kd_flat_tiles::M;
    int64_t n_tiles = is_flat ? kd_flat_tiles::n_tiles(m, n) : kd_large_tiles::n_tiles(m, n);
    int64_t n_parts = kd_parts_of(n_tiles, n_pixels);
    int64_t of_part = (n_pixels / n_parts + KD_STEP) / KD_STEP * KD_STEP;
    bool adds = a->beta != 0.0f, is_whole = n_parts == 1;
    float *sums = a->dweight;
    if (!is_whole)
        sums = (float *)kd_cuda_scratch(queue, (size_t)(n_parts * m * n) * sizeof *sums);
    backward_weight<T> product = {{(const T *)a->dy, (int)a->c_out},
                                  patches_of<T>(a, images),
                                  sums,
                                  n_pixels,
                                  of_part,
                                  m,
                                  n,
                                  is_whole && adds};
    if (is_flat)
        kd_tensor_product<T, kd_flat_tiles>(queue, product, m, n, n_parts);
    else
        kd_tensor_product<T, kd_large_tiles>(queue, product, m, n, n_parts);
    if (!is_whole)
        kd_map(queue, m * n, true, kd_add_parts{sums, a->dweight, m * n, n_parts, adds});
}

/* ---- which tiles, and which calls */

/* The largest that n fills and of which there are enough: they read least for what they
 * multiply. */
template <class T, class Product>
void multiply(struct kd_queue *queue, const Product &product, int64_t m, int64_t n, int64_t n_parts)
{
    if (n > kd_narrow_tiles::N && kd_large_tiles::n_tiles(m, n) * n_parts >= KD_ENOUGH_TILES)
        kd_tensor_product<T, kd_large_tiles>(queue, product, m, n, n_parts);
    else if (kd_narrow_tiles::n_tiles(m, n) * n_parts >= KD_ENOUGH_TILES)
        kd_tensor_product<T, kd_narrow_tiles>(queue, product, m, n, n_parts);
    else
        kd_tensor_product<T, kd_small_tiles>(queue, product, m, n, n_parts);
}

bool is_wanted()
{
    const char *way = getenv(KD_CONVOLUTIONS);
    return !way || strcmp(way, "unfolded") != 0;
}

/* Whether 32 bits are enough for every place in x, y and the weights, and for those that windows
 * have beyond them. */
bool is_small(const struct kd_window &in, int64_t c_out)
{
    const int64_t most = 1 << 30, most_of_size = 1 << 15;
    kd_images images = kd_images_of(&in);
    int64_t widest = kd_max(in.channels, c_out);
    return kd_max(kd_max(in.kernel, in.stride), kd_max(in.padding, kd_max(in.h, in.w))) <=
               most_of_size &&
           kd_in_pixels(images) * in.channels <= most && kd_out_pixels(images) * c_out <= most &&
           kd_of_patch(in) * c_out <= most &&
           (in.kernel + 2 * in.padding) * (in.w + 2 * in.padding) * widest <= most &&
           in.stride * in.stride <= 1 << 15; /* parts of a grid */
}

/* f(T()) with the queue's storage, if it is for here. */
template <class F>
bool by_tensor(const struct kd_queue *queue, const struct kd_window &in, int64_t c_out,
               bool is_aligned, const F &f)
{
    bool in_eights = in.channels % 8 == 0 && c_out % 8 == 0;
    if (!kd_is_ampere(queue) || !in_eights || !is_aligned || !is_small(in, c_out) || !is_wanted())
        return false;
    switch (queue->precision) {
    case KD_PRECISION_BF16:
        return f(__nv_bfloat16()), true;
    case KD_PRECISION_FP16:
        return f(__half()), true;
    default:
        return false;
    }
}

} // namespace

bool kd_implicit_conv2d(struct kd_queue *queue, const struct kd_op_conv2d *a)
{
    bool is_aligned = kd_all_aligned(a->x, a->weight, a->bias, a->y);
    return by_tensor(queue, a->window, a->c_out, is_aligned, [&](auto stored) {
        using T = decltype(stored);
        kd_images images = kd_images_of(&a->window);
        multiply<T>(queue, forward_of<T>(a, images), kd_out_pixels(images), a->c_out, 1);
    });
}

bool kd_implicit_backward_x(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a)
{
    bool is_aligned = kd_all_aligned(a->dy, a->weight, a->dx);
    return by_tensor(queue, a->window, a->c_out, is_aligned, [&](auto stored) {
        using T = decltype(stored);
        const struct kd_window &in = a->window;
        int64_t stride = in.stride;
        int64_t most = in.n * ((in.h + stride - 1) / stride) * ((in.w + stride - 1) / stride);
        multiply<T>(queue, backward_x_of<T>(a, kd_images_of(&in)), most, in.channels,
                    stride * stride);
    });
}

bool kd_implicit_backward_weight(struct kd_queue *queue,
                                 const struct kd_op_conv2d_backward_weight *a)
{
    bool is_aligned = kd_all_aligned(a->dy, a->x, a->dweight);
    return by_tensor(queue, a->window, a->c_out, is_aligned,
                     [&](auto stored) { to_weight<decltype(stored)>(queue, a); });
}
