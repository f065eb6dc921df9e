/* layernorm.cu - a warp takes a row, or a block a long one; the gradients of weight and bias are sums of columns. */
#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/table.h"

namespace
{

/* All threads of a row have the same sum; all threads of a block call it. */
template <class Rows> __device__ __forceinline__ float sum_of_row(float mine)
{
    return Rows::template reduce<kd_plus>(mine, 0.0f);
}

/* A warp beyond the last row computes that one, for the reductions' sake, and writes nothing. */
template <class Rows, class T> __global__ void normalize(struct kd_op_layernorm a)
{
    bool is_inside = Rows::row() < a.rows;
    int64_t row = is_inside ? Rows::row() : a.rows - 1;
    const T *x = (const T *)a.x + row * a.columns;
    T *y = (T *)a.y + row * a.columns;
    float sum = 0.0f, squares = 0.0f;
    for (int64_t c = Rows::thread(); c < a.columns; c += Rows::N_THREADS)
        sum += kd_float(x[c]);
    float mean = sum_of_row<Rows>(sum) / (float)a.columns;
    for (int64_t c = Rows::thread(); c < a.columns; c += Rows::N_THREADS)
        squares += (kd_float(x[c]) - mean) * (kd_float(x[c]) - mean);
    float rstd = 1.0f / sqrtf(sum_of_row<Rows>(squares) / (float)a.columns + a.epsilon);
    if (!is_inside)
        return;
    for (int64_t c = Rows::thread(); c < a.columns; c += Rows::N_THREADS)
        kd_put(&y[c], (kd_float(x[c]) - mean) * rstd * a.weight[c] + (a.bias ? a.bias[c] : 0.0f));
    if (Rows::thread() == 0)
        a.saved[2 * row] = mean, a.saved[2 * row + 1] = rstd;
}

/* dx = rstd (g - mean of g - xhat times mean of g xhat), g = dy weight. */
template <class Rows, class T> __global__ void back(struct kd_op_layernorm_backward a)
{
    bool is_inside = Rows::row() < a.rows;
    int64_t row = is_inside ? Rows::row() : a.rows - 1;
    const T *x = (const T *)a.x + row * a.columns, *dy = (const T *)a.dy + row * a.columns;
    T *dx = (T *)a.dx + row * a.columns;
    float mean = a.saved[2 * row], rstd = a.saved[2 * row + 1], sum = 0.0f, products = 0.0f;
    for (int64_t c = Rows::thread(); c < a.columns; c += Rows::N_THREADS) {
        float g = kd_float(dy[c]) * a.weight[c];
        sum += g;
        products += g * (kd_float(x[c]) - mean) * rstd;
    }
    sum = sum_of_row<Rows>(sum) / (float)a.columns;
    products = sum_of_row<Rows>(products) / (float)a.columns;
    for (int64_t c = Rows::thread(); c < a.columns && is_inside; c += Rows::N_THREADS) {
        float slope = (kd_float(x[c]) - mean) * rstd * products;
        float d = rstd * (kd_float(dy[c]) * a.weight[c] - sum - slope);
        kd_put(&dx[c], a.beta_dx != 0.0f ? kd_float(dx[c]) + d : d);
    }
}

template <class Rows> void launch(struct kd_queue *queue, const struct kd_op_layernorm *a)
{
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = normalize<Rows, decltype(stored)>;
        KD_LAUNCH(kernel, Rows::blocks_of(a->rows), KD_THREADS, 0, queue->stream, *a);
    });
}

template <class Rows>
void launch_back(struct kd_queue *queue, const struct kd_op_layernorm_backward *a)
{
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = back<Rows, decltype(stored)>;
        KD_LAUNCH(kernel, Rows::blocks_of(a->rows), KD_THREADS, 0, queue->stream, *a);
    });
}

template <class T> struct gradients {
    const T *dy, *x;
    const float *saved;
    int64_t columns;

    __device__ kd_pair at(int64_t row, int64_t column) const
    {
        int64_t i = row * columns + column;
        float normal = (kd_float(x[i]) - saved[2 * row]) * saved[2 * row + 1], d = kd_float(dy[i]);
        return {d, (double)(d * normal)};
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

void add_up(struct kd_queue *queue, const struct kd_op_layernorm_backward *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_column_sums(queue, a->rows, a->columns,
                       gradients<T>{(const T *)a->dy, (const T *)a->x, a->saved, a->columns},
                       store_gradients{a->dbias, a->dweight, a->beta != 0.0f});
    });
}

} // namespace

void kd_cuda_layernorm(struct kd_queue *queue, const struct kd_op_layernorm *a)
{
    if (a->rows <= 0 || a->columns <= 0)
        return;
    (a->columns > KD_COLUMNS_OF_A_WARP ? launch<kd_block_rows> : launch<kd_warp_rows>)(queue, a);
}

/* The sums first: dx may be dy. */
void kd_cuda_layernorm_backward(struct kd_queue *queue, const struct kd_op_layernorm_backward *a)
{
    if (a->dweight || a->dbias)
        add_up(queue, a);
    if (!a->dx || a->rows <= 0 || a->columns <= 0)
        return;
    (a->columns > KD_COLUMNS_OF_A_WARP ? launch_back<kd_block_rows>
                                       : launch_back<kd_warp_rows>)(queue, a);
}
