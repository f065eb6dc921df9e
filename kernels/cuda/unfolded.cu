#include "kernels/cuda/unfolded.h"

#include "kernels/cuda/images.cuh"
#include "kernels/cuda/lt.h"
#include "kernels/cuda/map.cuh"

namespace
{

/* Values of patches that are in memory at once: 64 MiB of floats, with which products are as large
 * as they need to be. The tests' is smaller, so that their images come in several parts. */
#ifndef KD_UNFOLDED_MOST
#define KD_UNFOLDED_MOST (1 << 24)
#endif

/* ---- patches */

/* The patches are the images themselves. */
bool is_pointwise(const struct kd_window &window)
{
    return window.kernel == 1 && window.stride == 1 && window.padding == 0;
}

/* patches[pixel of the output][(place in the window, channel)]; a group of channels at once where
 * they come in groups. */
template <class T> struct unfold {
    const T *x;
    T *patches;
    kd_images images;
    int64_t n_of_patch;

    template <int N> __device__ void at(int64_t i) const
    {
        const struct kd_window &in = images.in;
        int64_t pixel = kd_quotient(i, n_of_patch), element = kd_remainder(i, n_of_patch);
        int64_t place = kd_quotient(element, in.channels);
        int64_t under = kd_under(images, kd_pixel_of(pixel, images.h, images.w),
                                 kd_quotient(place, in.kernel), kd_remainder(place, in.kernel));
        kd_floats<N> values = {};
        if (under >= 0)
            values = kd_load<N>(x + under * in.channels + kd_remainder(element, in.channels));
        kd_store(patches + i, values);
    }
};

/* dx[pixel][channel] = what the patches that the pixel is in have for it, window by window in their
 * order. */
template <class T> struct fold {
    const float *patches;
    T *dx;
    kd_images images;
    int64_t n_of_patch;
    bool adds;

    template <int N> __device__ void at(int64_t i) const
    {
        const struct kd_window &in = images.in;
        int64_t channel = kd_remainder(i, in.channels);
        kd_pixel pixel = kd_pixel_of(kd_quotient(i, in.channels), in.h, in.w);
        kd_floats<N> sum = {};
        if (adds)
            sum = kd_load<N>(dx + i);
        for (int64_t place = 0; place < in.kernel * in.kernel; place++) {
            int64_t over = kd_over(images, pixel, kd_quotient(place, in.kernel),
                                   kd_remainder(place, in.kernel));
            if (over < 0)
                continue;
            kd_floats<N> more =
                kd_load<N>(patches + over * n_of_patch + place * in.channels + channel);
            for (int k = 0; k < N; k++)
                sum.x[k] += more.x[k];
        }
        kd_store(dx + i, sum);
    }
};

/* ---- images, some at a time */

struct part {
    int64_t first;    /* image */
    int64_t n_pixels; /* of the output */
    int64_t n_inputs; /* values */
    kd_images images; /* n is this part's */
};

/* The part that begins with image `first`. */
struct part part_from(const struct kd_window &window, int64_t first)
{
    struct kd_window some = window;
    kd_images whole = kd_images_of(&window);
    int64_t of_image = whole.h * whole.w * kd_of_patch(window);
    int64_t most =
        is_pointwise(window) ? window.n : kd_max(KD_UNFOLDED_MOST / kd_max(of_image, 1), 1);
    some.n = kd_min(window.n - first, most);
    kd_images images = kd_images_of(&some);
    return {first, kd_out_pixels(images), kd_in_pixels(images) * window.channels, images};
}

int64_t inputs_before(const struct kd_window &window, int64_t image)
{
    return image * window.h * window.w * window.channels;
}

int64_t outputs_before(const struct part &part)
{
    return part.first * part.images.h * part.images.w;
}

/* ---- products */

/* c[m][n] = a b + beta c, a: [m][k]; either factor as it is stored, or turned. */
struct factors {
    const void *a, *b;
    bool turn_a, turn_b;
};

struct kd_lt_product product_of(const struct factors &factors, void *c, int64_t m, int64_t n,
                                int64_t k, float beta)
{
    struct kd_lt_product product = {};
    product.matmul.a = factors.a;
    product.matmul.b = factors.b;
    product.matmul.c = c;
    product.matmul.m = m;
    product.matmul.n = n;
    product.matmul.k = k;
    product.matmul.transpose_a = factors.turn_a;
    product.matmul.transpose_b = factors.turn_b;
    product.matmul.beta = beta;
    return product;
}

/* The last part may be too small for cuBLASLt. */
void multiply(struct kd_queue *queue, const struct kd_lt_product &product)
{
    if (kd_lt_multiply(queue, &product))
        return;
    struct kd_op_linear linear = {};
    linear.x = product.matmul.a;
    linear.weight = product.matmul.b;
    linear.bias = product.bias;
    linear.y = product.matmul.c;
    linear.rows = product.matmul.m;
    linear.n_out = product.matmul.n;
    linear.n_in = product.matmul.k;
    if (product.bias) /* of the forward pass, whose products are linear layers */
        kd_cuda_linear(queue, &linear);
    else
        kd_cuda_matmul(queue, &product.matmul);
}

/* Room for a part's patches as type P: this op's scratch. */
template <class P> P *room_for(struct kd_queue *queue, const struct part &part)
{
    size_t n = (size_t)(part.n_pixels * kd_of_patch(part.images.in));
    return (P *)kd_cuda_scratch(queue, n * sizeof(P));
}

/* Where the patches of x are to be: the images themselves, or scratch. */
template <class T> T *memory_for(struct kd_queue *queue, const struct part &part, const T *x)
{
    return is_pointwise(part.images.in) ? const_cast<T *>(x) : room_for<T>(queue, part);
}

template <class T>
void write_patches(struct kd_queue *queue, const struct part &part, const T *x, T *patches)
{
    int64_t n = kd_of_patch(part.images.in);
    if (!is_pointwise(part.images.in))
        kd_map<T>(queue, part.n_pixels * n, kd_in_groups<T>(part.images.in.channels, x, patches),
                  unfold<T>{x, patches, part.images, n});
}

/* ---- on values stored as T: the first part's product says whether cuBLASLt takes it */

template <class T> bool conv2d(struct kd_queue *queue, const struct kd_op_conv2d *a)
{
    int64_t k = kd_of_patch(a->window);
    struct part part = part_from(a->window, 0);
    for (; part.first < a->window.n; part = part_from(a->window, part.first + part.images.in.n)) {
        const T *x = (const T *)a->x + inputs_before(a->window, part.first);
        T *y = (T *)a->y + outputs_before(part) * a->c_out;
        T *patches = memory_for(queue, part, x);
        struct kd_lt_product product =
            product_of({patches, a->weight, false, true}, y, part.n_pixels, a->c_out, k, 0.0f);
        product.bias = a->bias;
        if (part.first == 0 && !kd_lt_takes(queue, &product))
            return false;
        write_patches(queue, part, x, patches);
        multiply(queue, product);
    }
    return a->window.n > 0;
}

template <class T>
bool backward_weight(struct kd_queue *queue, const struct kd_op_conv2d_backward_weight *a)
{
    int64_t n = kd_of_patch(a->window);
    struct part part = part_from(a->window, 0);
    for (; part.first < a->window.n; part = part_from(a->window, part.first + part.images.in.n)) {
        const T *x = (const T *)a->x + inputs_before(a->window, part.first);
        const T *dy = (const T *)a->dy + outputs_before(part) * a->c_out;
        T *patches = memory_for(queue, part, x);
        struct kd_lt_product product =
            product_of({dy, patches, true, false}, a->dweight, a->c_out, n, part.n_pixels,
                       part.first == 0 ? a->beta : 1.0f);
        product.matmul.to_floats = true;
        if (part.first == 0 && !kd_lt_takes(queue, &product))
            return false;
        write_patches(queue, part, x, patches);
        multiply(queue, product);
    }
    return a->window.n > 0;
}

/* dx is what comes out of the product. */
bool backward_x_pointwise(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a)
{
    kd_images images = kd_images_of(&a->window);
    struct kd_lt_product product =
        product_of({a->dy, a->weight, false, false}, a->dx, kd_out_pixels(images),
                   a->window.channels, a->c_out, a->beta);
    return kd_lt_multiply(queue, &product);
}

/* The gradient of the patches, which then goes back to where they were taken from. They are floats:
 * what several of them have for a pixel is added up before anything is rounded. A pixel's patches
 * are all in one part, that of its image. */
template <class T> bool backward_x(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a)
{
    int64_t n = kd_of_patch(a->window);
    struct part part = part_from(a->window, 0);
    for (; part.first < a->window.n; part = part_from(a->window, part.first + part.images.in.n)) {
        const T *dy = (const T *)a->dy + outputs_before(part) * a->c_out;
        T *dx = (T *)a->dx + inputs_before(a->window, part.first);
        float *patches = room_for<float>(queue, part);
        struct kd_lt_product product =
            product_of({dy, a->weight, false, false}, patches, part.n_pixels, n, a->c_out, 0.0f);
        product.matmul.to_floats = true;
        if (part.first == 0 && !kd_lt_takes(queue, &product))
            return false;
        multiply(queue, product);
        kd_map<T>(queue, part.n_inputs, kd_in_groups<T>(a->window.channels, patches, dx),
                  fold<T>{patches, dx, part.images, n, a->beta != 0.0f});
    }
    return a->window.n > 0;
}

} // namespace

bool kd_unfolded_conv2d(struct kd_queue *queue, const struct kd_op_conv2d *a)
{
    bool is_done = false;
    kd_by_storage(queue, [&](auto stored) { is_done = conv2d<decltype(stored)>(queue, a); });
    return is_done;
}

bool kd_unfolded_backward_weight(struct kd_queue *queue,
                                 const struct kd_op_conv2d_backward_weight *a)
{
    bool is_done = false;
    kd_by_storage(queue,
                  [&](auto stored) { is_done = backward_weight<decltype(stored)>(queue, a); });
    return is_done;
}

bool kd_unfolded_backward_x(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a)
{
    bool is_done = false;
    if (is_pointwise(a->window))
        return backward_x_pointwise(queue, a);
    kd_by_storage(queue, [&](auto stored) { is_done = backward_x<decltype(stored)>(queue, a); });
    return is_done;
}
