/* matmul.cu - products of matrices, and linear layers with bias and activation in the same pass: by
 * cuBLASLt where it takes them (lt.h), else in tiles of our own. */
#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/lt.h"
#include "kernels/cuda/table.h"
#include "kernels/cuda/tiles.cuh"
#include "kernels/cuda/values.cuh"

namespace
{

/* Element (i, k) is at x[k n + i] (by_k) or at x[i n + k]; n: from one row to the next. */
template <class T, bool by_k> struct dense {
    static constexpr bool BY_K = by_k;
    const T *x;
    int64_t n;

    __device__ __forceinline__ float at(int64_t i, int64_t k) const
    {
        return kd_float(by_k ? x[k * n + i] : x[i * n + k]);
    }
};

template <class C> struct plain {
    C *c;
    int64_t n;
    bool adds;

    __device__ void put(int64_t, int64_t i, int64_t j, float sum) const
    {
        int64_t at = i * n + j;
        kd_put(c + at, adds ? kd_float(c[at]) + sum : sum);
    }
};

template <class T> struct layer {
    const T *bias;
    T *y, *pre;
    int64_t n;
    enum kd_activation f;

    __device__ void put(int64_t, int64_t i, int64_t j, float sum) const
    {
        float x = bias ? sum + kd_float(bias[j]) : sum;
        if (pre)
            kd_put(pre + (i * n + j), x);
        kd_put(y + (i * n + j), kd_activate(f, x));
    }
};

/* T: of the factors, C: of c. */
template <class T, class C, bool transpose_a, bool transpose_b>
void multiply(struct kd_queue *queue, const struct kd_op_matmul *a)
{
    dense<T, transpose_a> left = {(const T *)a->a, transpose_a ? a->m : a->k};
    dense<T, !transpose_b> right = {(const T *)a->b, transpose_b ? a->k : a->n};
    kd_product(queue, left, right, a->m, a->n, a->k, 1, plain<C>{(C *)a->c, a->n, a->beta != 0.0f});
}

template <class T, class C>
void multiply_in_tiles(struct kd_queue *queue, const struct kd_op_matmul *a)
{
    static void (*const by_transposes[2][2])(struct kd_queue *, const struct kd_op_matmul *) = {
        {multiply<T, C, false, false>, multiply<T, C, false, true>},
        {multiply<T, C, true, false>, multiply<T, C, true, true>},
    };
    by_transposes[a->transpose_a][a->transpose_b](queue, a);
}

} // namespace

/* cuBLASLt knows relu, and a gelu that is another function than ours: that with tanh (Hendrycks,
 * Gimpel 2016, section 2), which differs in the fourth digit. What it does not know is a pass over
 * its result, as stored, and so is what the backward pass wants to see. */
static bool linear_by_lt(struct kd_queue *queue, const struct kd_op_linear *a)
{
    bool relu = a->activation == KD_ACTIVATION_RELU && !a->pre;
    void *product = a->pre ? a->pre : a->y;
    struct kd_lt_product wanted = {
        .matmul = {.a = a->x,
                   .b = a->weight,
                   .c = product,
                   .m = a->rows,
                   .n = a->n_out,
                   .k = a->n_in,
                   .transpose_a = false,
                   .transpose_b = true,
                   .to_floats = false,
                   .beta = 0.0f},
        .bias = a->bias,
        .relu = relu,
    };
    if (!kd_lt_multiply(queue, &wanted))
        return false;
    struct kd_op_activation after = {product, a->y, a->rows * a->n_out, a->activation};
    if (a->pre || (a->activation != KD_ACTIVATION_NONE && !relu))
        kd_cuda_activation(queue, &after);
    return true;
}

void kd_cuda_matmul(struct kd_queue *queue, const struct kd_op_matmul *a)
{
    struct kd_lt_product wanted = {.matmul = *a, .bias = NULL, .relu = false};
    if (kd_lt_multiply(queue, &wanted))
        return;
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        if (a->to_floats)
            multiply_in_tiles<T, float>(queue, a);
        else
            multiply_in_tiles<T, T>(queue, a);
    });
}

void kd_cuda_linear(struct kd_queue *queue, const struct kd_op_linear *a)
{
    if (linear_by_lt(queue, a))
        return;
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_product(queue, dense<T, false>{(const T *)a->x, a->n_in},
                   dense<T, false>{(const T *)a->weight, a->n_in}, a->rows, a->n_out, a->n_in, 1,
                   layer<T>{(const T *)a->bias, (T *)a->y, (T *)a->pre, a->n_out, a->activation});
    });
}
