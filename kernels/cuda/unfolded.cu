#include "kernels/cuda/unfolded.h"

#include "kernels/cuda/images.cuh"
#include "kernels/cuda/lt.h"
#include "kernels/cuda/map.cuh"

namespace
{

/* Floats of patches that are in memory at once: 64 MiB, with which products are as large as they need to be. The tests' is smaller, so
 * that their images come in several parts. */
#ifndef KD_UNFOLDED_MOST
#define KD_UNFOLDED_MOST (1 << 24)
#endif

/* ---- patches */

int64_t of_patch(const struct kd_window &window)
{
    return window.kernel * window.kernel * window.channels;
}

/* The patches are the images themselves. */
bool is_pointwise(const struct kd_window &window)
{
    return window.kernel == 1 && window.stride == 1 && window.padding == 0;
}

/* patches[pixel of the output][(place in the window, channel)]; four channels at once where they come in fours. */
struct unfold {
    const float *x;
    float *patches;
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

/* dx[pixel][channel] = what the patches that the pixel is in have for it, window by window in their order. */
struct fold {
    const float *patches;
    float *dx;
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

bool by_four(const struct kd_window &window, const float *a, const float *b)
{
    return window.channels % 4 == 0 && kd_all_aligned(a, b);
}

/* ---- images, some at a time */

struct part {
    int64_t first, n_pixels,
        n_inputs;     /* its first image; pixels of the output; values of the input */
    kd_images images; /* n is this part's */
};

/* The part that begins with image `first`. */
struct part part_from(const struct kd_window &window, int64_t first)
{
    struct kd_window some = window;
    kd_images whole = kd_images_of(&window);
    int64_t of_image = whole.h * whole.w * of_patch(window);
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

/* c[m][n] = a b + bias, a: [m][k]; either factor as it is stored, or turned. */
struct factors {
    const float *a, *b;
    bool turn_a, turn_b;
};

struct kd_lt_product product_of(const struct factors &factors, float *c, int64_t m, int64_t n,
                                int64_t k, float beta, const float *bias)
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
    product.bias = bias;
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

/* Memory for a part's patches: the images themselves, or this op's scratch. */
float *memory_for(struct kd_queue *queue, const struct part &part, const float *x)
{
    if (is_pointwise(part.images.in))
        return const_cast<float *>(x);
    size_t n = (size_t)(part.n_pixels * of_patch(part.images.in));
    return (float *)kd_cuda_scratch(queue, n * sizeof(float));
}

void write_patches(struct kd_queue *queue, const struct part &part, const float *x, float *patches)
{
    int64_t n = of_patch(part.images.in);
    if (!is_pointwise(part.images.in))
        kd_map(queue, part.n_pixels * n, by_four(part.images.in, x, patches),
               unfold{x, patches, part.images, n});
}

} // namespace

/* ---- the ops: the first part's product says whether cuBLASLt takes it */

bool kd_unfolded_conv2d(struct kd_queue *queue, const struct kd_op_conv2d *a)
{
    int64_t k = of_patch(a->window);
    struct part part = part_from(a->window, 0);
    for (; part.first < a->window.n; part = part_from(a->window, part.first + part.images.in.n)) {
        const float *x = (const float *)a->x + inputs_before(a->window, part.first);
        float *y = (float *)a->y + outputs_before(part) * a->c_out;
        float *patches = memory_for(queue, part, x);
        struct kd_lt_product product =
            product_of({patches, (const float *)a->weight, false, true}, y, part.n_pixels, a->c_out,
                       k, 0.0f, (const float *)a->bias);
        if (part.first == 0 && !kd_lt_takes(queue, &product))
            return false;
        write_patches(queue, part, x, patches);
        multiply(queue, product);
    }
    return a->window.n > 0;
}

bool kd_unfolded_backward_weight(struct kd_queue *queue,
                                 const struct kd_op_conv2d_backward_weight *a)
{
    int64_t n = of_patch(a->window);
    struct part part = part_from(a->window, 0);
    for (; part.first < a->window.n; part = part_from(a->window, part.first + part.images.in.n)) {
        const float *x = (const float *)a->x + inputs_before(a->window, part.first);
        const float *dy = (const float *)a->dy + outputs_before(part) * a->c_out;
        float *patches = memory_for(queue, part, x);
        struct kd_lt_product product =
            product_of({dy, patches, true, false}, a->dweight, a->c_out, n, part.n_pixels,
                       part.first == 0 ? a->beta : 1.0f, NULL);
        if (part.first == 0 && !kd_lt_takes(queue, &product))
            return false;
        write_patches(queue, part, x, patches);
        multiply(queue, product);
    }
    return a->window.n > 0;
}

/* The gradient of the patches, which then goes back to where they were taken from. */
bool kd_unfolded_backward_x(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a)
{
    int64_t n = of_patch(a->window);
    bool is_direct = is_pointwise(a->window);
    struct part part = part_from(a->window, 0);
    for (; part.first < a->window.n; part = part_from(a->window, part.first + part.images.in.n)) {
        const float *dy = (const float *)a->dy + outputs_before(part) * a->c_out;
        float *dx = (float *)a->dx + inputs_before(a->window, part.first);
        float *patches = memory_for(queue, part, dx);
        struct kd_lt_product product =
            product_of({dy, (const float *)a->weight, false, false}, patches, part.n_pixels, n,
                       a->c_out, is_direct ? a->beta : 0.0f, NULL);
        if (part.first == 0 && !kd_lt_takes(queue, &product))
            return false;
        multiply(queue, product);
        if (!is_direct)
            kd_map(queue, part.n_inputs, by_four(a->window, patches, dx),
                   fold{patches, dx, part.images, n, a->beta != 0.0f});
    }
    return a->window.n > 0;
}
