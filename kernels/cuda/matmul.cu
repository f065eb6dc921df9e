/* matmul.cu - products of matrices in fp32, and linear layers with bias and activation in the same pass: tiles of 64 x 64 results, of
 * which each thread keeps 4 x 4 in registers.
 *
 * Right and simple, on the CUDA cores alone and without a split of long sums: cuBLASLt takes these over in the next landing. */
#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/table.h"

namespace
{

constexpr int TILE = 64, DEPTH = 16, EACH = 4, SIDE = TILE / EACH;
/* Rows of a tile begin at other banks, and still at multiples of 16 bytes. */
constexpr int PITCH = TILE + 4;

struct shape {
    int64_t m, n, k;
};

/* ---- what becomes of a result */

struct plain {
    float *c;
    bool adds;

    __device__ void put(int64_t at, int64_t, float sum) const
    {
        c[at] = adds ? c[at] + sum : sum;
    }
};

struct layer {
    const float *bias;
    float *y, *pre;
    enum kd_activation f;

    __device__ void put(int64_t at, int64_t column, float sum) const
    {
        float x = bias ? sum + bias[column] : sum;
        if (pre)
            pre[at] = x;
        y[at] = kd_activate(f, x);
    }
};

/* ---- tiles */

/* tile[k][i] = the element at k of the sum and i of the result's rows (or columns), 0 outside the matrix. stored_by_k: element
 * (k, i) is at x[k n + i], else at x[i depth + k]; neighbouring threads read what lies together. */
template <bool stored_by_k>
__device__ __forceinline__ void read_tile(const float *x, float (&tile)[DEPTH][PITCH],
                                          int64_t from_i, int64_t n, int64_t from_k, int64_t depth)
{
    for (int e = (int)threadIdx.x; e < TILE * DEPTH; e += KD_THREADS) {
        int i = stored_by_k ? e % TILE : e / DEPTH, k = stored_by_k ? e / TILE : e % DEPTH;
        int64_t at_i = from_i + i, at_k = from_k + k;
        bool is_inside = at_i < n && at_k < depth;
        int64_t at = stored_by_k ? at_k * n + at_i : at_i * depth + at_k;
        tile[k][i] = is_inside ? x[at] : 0.0f;
    }
}

__device__ __forceinline__ void multiply(const float (&a)[DEPTH][PITCH],
                                         const float (&b)[DEPTH][PITCH], int row, int column,
                                         float (&sums)[EACH][EACH])
{
    KD_UNROLL
    for (int k = 0; k < DEPTH; k++) {
        kd_floats<4> left = kd_load<4>(&a[k][row]), right = kd_load<4>(&b[k][column]);
        KD_UNROLL
        for (int at = 0; at < EACH * EACH; at++)
            sums[at / EACH][at % EACH] += left.x[at / EACH] * right.x[at % EACH];
    }
}

template <bool transpose_a, bool transpose_b, class After>
__global__ void __launch_bounds__(KD_THREADS)
    multiply_tiles(const float *a, const float *b, shape s, After after)
{
    KD_SHARED(float, left, [DEPTH][PITCH]);
    KD_SHARED(float, right, [DEPTH][PITCH]);
    int64_t across = (s.n + TILE - 1) / TILE;
    int64_t from_i = blockIdx.x / across * TILE, from_j = blockIdx.x % across * TILE;
    int row = (int)threadIdx.x / SIDE * EACH, column = (int)threadIdx.x % SIDE * EACH;
    float sums[EACH][EACH] = {};
    for (int64_t k = 0; k < s.k; k += DEPTH) {
        read_tile<transpose_a>(a, left, from_i, s.m, k, s.k);
        read_tile<!transpose_b>(b, right, from_j, s.n, k, s.k);
        __syncthreads();
        multiply(left, right, row, column, sums);
        __syncthreads(); /* before others write the next tiles */
    }
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++) {
            int64_t at_i = from_i + row + i, at_j = from_j + column + j;
            if (at_i < s.m && at_j < s.n)
                after.put(at_i * s.n + at_j, at_j, sums[i][j]);
        }
}

template <class After>
void launch(struct kd_queue *queue, const struct kd_op_matmul *op, const After &after)
{
    if (op->m <= 0 || op->n <= 0)
        return;
    typedef void kernel_fn(const float *, const float *, shape, After);
    static kernel_fn *const kernels[2][2] = {
        {multiply_tiles<false, false, After>, multiply_tiles<false, true, After>},
        {multiply_tiles<true, false, After>, multiply_tiles<true, true, After>},
    };
    kernel_fn *kernel = kernels[op->transpose_a][op->transpose_b];
    int64_t n_tiles = (op->m + TILE - 1) / TILE * ((op->n + TILE - 1) / TILE);
    shape s = {op->m, op->n, op->k};
    KD_LAUNCH(kernel, (unsigned)n_tiles, KD_THREADS, 0, queue->stream, op->a, op->b, s, after);
}

} // namespace

void kd_cuda_matmul(struct kd_queue *queue, const struct kd_op_matmul *a)
{
    launch(queue, a, plain{a->c, a->beta != 0.0f});
}

void kd_cuda_linear(struct kd_queue *queue, const struct kd_op_linear *a)
{
    struct kd_op_matmul product = {};
    product.a = a->x;
    product.b = a->weight;
    product.m = a->rows;
    product.n = a->n_out;
    product.k = a->n_in;
    product.transpose_b = true;
    launch(queue, &product, layer{a->bias, a->y, a->pre, a->activation});
}
