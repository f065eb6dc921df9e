/* layernorm.cu - each row by a warp or a block (rows.cuh); the gradients of weight and bias are sums over columns. */
#include "kernels/cuda/columns.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/table.h"

namespace
{

/* The mean first and then the distances from it: a variance out of sums of squares loses what a float cannot hold. */
template <class Rows> __global__ void normalise(struct kd_op_layernorm a)
{
    int64_t row = Rows::row(), n = a.columns;
    if (row >= a.rows)
        return; /* the whole warp, or block */
    const float *x = a.x + row * n;
    float *y = a.y + row * n, sum = 0.0f, squares = 0.0f;
    for (int64_t j = Rows::thread(); j < n; j += Rows::N_THREADS)
        sum += x[j];
    float mean = Rows::template reduce<kd_plus>(sum, 0.0f) / (float)n;
    for (int64_t j = Rows::thread(); j < n; j += Rows::N_THREADS)
        squares += (x[j] - mean) * (x[j] - mean);
    float variance = Rows::template reduce<kd_plus>(squares, 0.0f) / (float)n;
    float rstd = 1.0f / sqrtf(variance + a.epsilon);
    for (int64_t j = Rows::thread(); j < n; j += Rows::N_THREADS)
        y[j] = (x[j] - mean) * rstd * a.weight[j] + (a.bias ? a.bias[j] : 0.0f);
    if (Rows::thread() == 0) {
        a.saved[2 * row] = mean;
        a.saved[2 * row + 1] = rstd;
    }
}

/* dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy weight. dy may be dx: a thread reads an element before it writes it. */
template <class Rows> __global__ void backward(struct kd_op_layernorm_backward a)
{
    int64_t row = Rows::row(), n = a.columns;
    if (row >= a.rows)
        return;
    const float *x = a.x + row * n, *dy = a.dy + row * n;
    float *dx = a.dx + row * n, mean = a.saved[2 * row], rstd = a.saved[2 * row + 1];
    float of_g = 0.0f, of_products = 0.0f;
    for (int64_t j = Rows::thread(); j < n; j += Rows::N_THREADS) {
        float g = dy[j] * a.weight[j];
        of_g += g;
        of_products += g * (x[j] - mean) * rstd;
    }
    of_g = Rows::template reduce<kd_plus>(of_g, 0.0f) / (float)n;
    of_products = Rows::template reduce<kd_plus>(of_products, 0.0f) / (float)n;
    for (int64_t j = Rows::thread(); j < n; j += Rows::N_THREADS) {
        float xhat = (x[j] - mean) * rstd;
        float gradient = rstd * (dy[j] * a.weight[j] - of_g - xhat * of_products);
        dx[j] = a.beta_dx != 0.0f ? dx[j] + gradient : gradient;
    }
}

struct weight_gradients {
    const float *dy, *x, *saved;
    int64_t columns;

    __device__ void at(int64_t row, int64_t column, kd_two<float> &sums) const
    {
        float g = dy[row * columns + column];
        float xhat = (x[row * columns + column] - saved[2 * row]) * saved[2 * row + 1];
        sums.a += g * xhat;
        sums.b += g;
    }
};

struct store_gradients {
    float *dweight, *dbias;
    bool adds;

    __device__ void store(float *to, float sum) const
    {
        if (to)
            *to = adds ? *to + sum : sum;
    }

    __device__ void take(int64_t column, kd_two<float> sums) const
    {
        store(dweight ? dweight + column : nullptr, sums.a);
        store(dbias ? dbias + column : nullptr, sums.b);
    }
};

} // namespace

void kd_cuda_layernorm(struct kd_queue *queue, const struct kd_op_layernorm *a)
{
    if (a->rows <= 0 || a->columns <= 0)
        return;
    bool is_short = a->columns <= KD_COLUMNS_OF_A_WARP;
    auto kernel = is_short ? normalise<kd_warp_rows> : normalise<kd_block_rows>;
    unsigned n_blocks =
        is_short ? kd_warp_rows::blocks_of(a->rows) : kd_block_rows::blocks_of(a->rows);
    KD_LAUNCH(kernel, n_blocks, KD_THREADS, 0, queue->stream, *a);
}

/* The columns first: dx may take dy's place. */
void kd_cuda_layernorm_backward(struct kd_queue *queue, const struct kd_op_layernorm_backward *a)
{
    if (a->dweight || a->dbias)
        kd_columns<float>(queue, a->rows, a->columns,
                          weight_gradients{a->dy, a->x, a->saved, a->columns},
                          store_gradients{a->dweight, a->dbias, a->beta != 0.0f});
    if (!a->dx || a->rows <= 0 || a->columns <= 0)
        return;
    bool is_short = a->columns <= KD_COLUMNS_OF_A_WARP;
    auto kernel = is_short ? backward<kd_warp_rows> : backward<kd_block_rows>;
    unsigned n_blocks =
        is_short ? kd_warp_rows::blocks_of(a->rows) : kd_block_rows::blocks_of(a->rows);
    KD_LAUNCH(kernel, n_blocks, KD_THREADS, 0, queue->stream, *a);
}
