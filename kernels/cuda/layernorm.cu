/* layernorm.cu - a warp takes a row; the gradients of weight and bias are sums of columns. */
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/table.h"

namespace
{

constexpr int ROWS = KD_THREADS / KD_WARP; /* of a block */

/* This warp's first row; the next one is step away. All lanes of a warp have the same rows. */
struct rows_of_warp {
    int64_t first, step;
    int lane;
};

__device__ __forceinline__ rows_of_warp my_rows()
{
    int warp = (int)threadIdx.x / KD_WARP, lane = (int)threadIdx.x % KD_WARP;
    return {(int64_t)blockIdx.x * ROWS + warp, (int64_t)gridDim.x * ROWS, lane};
}

__global__ void normalize(struct kd_op_layernorm a)
{
    rows_of_warp mine = my_rows();
    for (int64_t row = mine.first; row < a.rows; row += mine.step) {
        const float *x = a.x + row * a.columns;
        float *y = a.y + row * a.columns, sum = 0.0f, squares = 0.0f;
        for (int64_t c = mine.lane; c < a.columns; c += KD_WARP)
            sum += x[c];
        float mean = kd_warp_sum(sum) / (float)a.columns;
        for (int64_t c = mine.lane; c < a.columns; c += KD_WARP)
            squares += (x[c] - mean) * (x[c] - mean);
        float rstd = 1.0f / sqrtf(kd_warp_sum(squares) / (float)a.columns + a.epsilon);
        for (int64_t c = mine.lane; c < a.columns; c += KD_WARP)
            y[c] = (x[c] - mean) * rstd * a.weight[c] + (a.bias ? a.bias[c] : 0.0f);
        if (mine.lane == 0)
            a.saved[2 * row] = mean, a.saved[2 * row + 1] = rstd;
    }
}

/* dx = rstd (g - mean of g - xhat times mean of g xhat), g = dy weight. */
__global__ void back(struct kd_op_layernorm_backward a)
{
    rows_of_warp mine = my_rows();
    for (int64_t row = mine.first; row < a.rows; row += mine.step) {
        const float *x = a.x + row * a.columns, *dy = a.dy + row * a.columns;
        float *dx = a.dx + row * a.columns;
        float mean = a.saved[2 * row], rstd = a.saved[2 * row + 1], sum = 0.0f, products = 0.0f;
        for (int64_t c = mine.lane; c < a.columns; c += KD_WARP) {
            float g = dy[c] * a.weight[c];
            sum += g;
            products += g * (x[c] - mean) * rstd;
        }
        sum = kd_warp_sum(sum) / (float)a.columns;
        products = kd_warp_sum(products) / (float)a.columns;
        for (int64_t c = mine.lane; c < a.columns; c += KD_WARP) {
            float slope = (x[c] - mean) * rstd * products;
            float d = rstd * (dy[c] * a.weight[c] - sum - slope);
            dx[c] = a.beta_dx != 0.0f ? dx[c] + d : d;
        }
    }
}

struct gradients {
    const float *dy, *x, *saved;
    int64_t columns;

    __device__ kd_pair at(int64_t row, int64_t column) const
    {
        int64_t i = row * columns + column;
        float normal = (x[i] - saved[2 * row]) * saved[2 * row + 1];
        return {dy[i], (double)(dy[i] * normal)};
    }
};

__device__ void add_or_set(float *to, float value, bool adds)
{
    if (to)
        *to = adds ? *to + value : value;
}

struct store_gradients {
    float *dbias, *dweight;
    bool adds;

    __device__ void take(int64_t column, kd_pair sums) const
    {
        add_or_set(dbias ? dbias + column : nullptr, (float)sums.a, adds);
        add_or_set(dweight ? dweight + column : nullptr, (float)sums.b, adds);
    }
};

} // namespace

void kd_cuda_layernorm(struct kd_queue *queue, const struct kd_op_layernorm *a)
{
    if (a->rows > 0 && a->columns > 0)
        KD_LAUNCH(normalize, kd_blocks(a->rows, ROWS), KD_THREADS, 0, queue->stream, *a);
}

/* The sums first: dx may be dy. */
void kd_cuda_layernorm_backward(struct kd_queue *queue, const struct kd_op_layernorm_backward *a)
{
    if (a->dweight || a->dbias)
        kd_column_sums(queue, a->rows, a->columns, gradients{a->dy, a->x, a->saved, a->columns},
                       store_gradients{a->dbias, a->dweight, a->beta != 0.0f});
    if (a->dx && a->rows > 0 && a->columns > 0)
        KD_LAUNCH(back, kd_blocks(a->rows, ROWS), KD_THREADS, 0, queue->stream, *a);
}
