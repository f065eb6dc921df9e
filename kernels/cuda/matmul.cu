/* matmul.cu - products of matrices, and linear layers with bias and activation in the same pass. */
#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/table.h"
#include "kernels/cuda/tiles.cuh"

namespace
{

/* Element (i, k) is at x[k n + i] (by_k) or at x[i n + k]; n: from one row to the next. */
template <bool by_k> struct dense {
    static constexpr bool BY_K = by_k;
    const float *x;
    int64_t n;

    __device__ __forceinline__ float at(int64_t i, int64_t k) const
    {
        return by_k ? x[k * n + i] : x[i * n + k];
    }
};

struct plain {
    float *c;
    int64_t n;
    bool adds;

    __device__ void put(int64_t, int64_t i, int64_t j, float sum) const
    {
        int64_t at = i * n + j;
        c[at] = adds ? c[at] + sum : sum;
    }
};

struct layer {
    const float *bias;
    float *y, *pre;
    int64_t n;
    enum kd_activation f;

    __device__ void put(int64_t, int64_t i, int64_t j, float sum) const
    {
        float x = bias ? sum + bias[j] : sum;
        if (pre)
            pre[i * n + j] = x;
        y[i * n + j] = kd_activate(f, x);
    }
};

template <bool transpose_a, bool transpose_b>
void multiply(struct kd_queue *queue, const struct kd_op_matmul *a)
{
    dense<transpose_a> left = {a->a, transpose_a ? a->m : a->k};
    dense<!transpose_b> right = {a->b, transpose_b ? a->k : a->n};
    kd_product(queue, left, right, a->m, a->n, a->k, 1, plain{a->c, a->n, a->beta != 0.0f});
}

} // namespace

void kd_cuda_matmul(struct kd_queue *queue, const struct kd_op_matmul *a)
{
    static void (*const by_transposes[2][2])(struct kd_queue *, const struct kd_op_matmul *) = {
        {multiply<false, false>, multiply<false, true>},
        {multiply<true, false>, multiply<true, true>},
    };
    by_transposes[a->transpose_a][a->transpose_b](queue, a);
}

void kd_cuda_linear(struct kd_queue *queue, const struct kd_op_linear *a)
{
    kd_product(queue, dense<false>{a->x, a->n_in}, dense<false>{a->weight, a->n_in}, a->rows,
               a->n_out, a->n_in, 1, layer{a->bias, a->y, a->pre, a->n_out, a->activation});
}
