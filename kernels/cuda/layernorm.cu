/* layernorm.cu - a warp takes a row, or a block a long one; the gradients of weight and bias are
 * sums of columns. */
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

/* ---- what a row consists of (rows.cuh) */

template <class T> struct values {
    const T *x;

    template <int N> using of = kd_floats<N>;

    __device__ void skip(int64_t n)
    {
        x += n;
    }
    template <int N> __device__ __forceinline__ of<N> at(int64_t j) const
    {
        return kd_load<N>(x + j);
    }
};

/* a + b, which are stored in passing, and then are what was stored. sum may be a or b: each of its
 * values is written by the thread that alone has read them. */
template <class T> struct sums {
    const T *a, *b;
    T *sum;

    template <int N> using of = kd_floats<N>;

    __device__ void skip(int64_t n)
    {
        a += n, b += n, sum += n;
    }
    template <int N> __device__ __forceinline__ of<N> at(int64_t j) const
    {
        kd_floats<N> v = kd_load<N>(a + j), more = kd_load<N>(b + j);
        KD_UNROLL
        for (int k = 0; k < N; k++)
            v.x[k] = kd_as_stored<T>(v.x[k] + more.x[k]);
        kd_store(sum + j, v);
        return v;
    }
};

template <int N> struct slope {
    float g[N], normal[N]; /* dy weight, (x - mean) rstd */
};

template <class T> struct slopes {
    const T *dy, *x;
    const float *weight;
    float mean, rstd;

    template <int N> using of = slope<N>;

    template <int N> __device__ __forceinline__ of<N> at(int64_t j) const
    {
        kd_floats<N> d = kd_load<N>(dy + j), v = kd_load<N>(x + j);
        kd_floats<N> w = kd_load_any<N>(weight + j);
        slope<N> slope;
        KD_UNROLL
        for (int k = 0; k < N; k++) {
            slope.g[k] = d.x[k] * w.x[k];
            slope.normal[k] = (v.x[k] - mean) * rstd;
        }
        return slope;
    }
};

/* ---- the passes */

template <class Rows, class Row> __device__ __forceinline__ float mean_of(const Row &row, float n)
{
    float sum = 0.0f;
    row.each([&]<int N>(int64_t, const kd_floats<N> &v) {
        for (float x : v.x)
            sum += x;
    });
    return sum_of_row<Rows>(sum) / n;
}

template <class Rows, class Row>
__device__ __forceinline__ float variance_of(const Row &row, float mean, float n)
{
    float squares = 0.0f;
    row.each([&]<int N>(int64_t, const kd_floats<N> &v) {
        for (float x : v.x)
            squares += (x - mean) * (x - mean);
    });
    return sum_of_row<Rows>(squares) / n;
}

/* A warp beyond the last row has an empty one, for the reductions' sake. */
template <class Rows, template <class, int, class> class Row, class T, class Source>
__global__ void normalize(struct kd_op_layernorm a, Source source, bool in_groups)
{
    bool is_inside = Rows::row() < a.rows;
    int64_t first = Rows::row() * a.columns;
    T *y = (T *)a.y + first;
    source.skip(first);
    Row<Rows, KD_GROUP<T>, Source> row;
    row.take(source, is_inside ? a.columns : 0, in_groups);
    float mean = mean_of<Rows>(row, (float)a.columns);
    float rstd = 1.0f / sqrtf(variance_of<Rows>(row, mean, (float)a.columns) + a.epsilon);
    row.each([&]<int N>(int64_t j, kd_floats<N> v) {
        kd_floats<N> weight = kd_load_any<N>(a.weight + j), bias = {};
        if (a.bias)
            bias = kd_load_any<N>(a.bias + j);
        for (int k = 0; k < N; k++)
            v.x[k] = (v.x[k] - mean) * rstd * weight.x[k] + bias.x[k];
        kd_store(y + j, v);
    });
    if (is_inside && Rows::thread() == 0)
        a.saved[2 * Rows::row()] = mean, a.saved[2 * Rows::row() + 1] = rstd;
}

/* dx = rstd (g - mean of g - xhat times mean of g xhat), g = dy weight. */
template <class Rows, template <class, int, class> class Row, class T>
__global__ void back(struct kd_op_layernorm_backward a, bool in_groups)
{
    bool is_inside = Rows::row() < a.rows;
    int64_t at = is_inside ? Rows::row() : 0, first = at * a.columns;
    T *dx = (T *)a.dx + first;
    float rstd = a.saved[2 * at + 1], sum = 0.0f, products = 0.0f;
    slopes<T> source = {(const T *)a.dy + first, (const T *)a.x + first, a.weight, a.saved[2 * at],
                        rstd};
    Row<Rows, KD_GROUP<T>, slopes<T>> row;
    row.take(source, is_inside ? a.columns : 0, in_groups);
    row.each([&]<int N>(int64_t, const slope<N> &s) {
        for (int k = 0; k < N; k++)
            sum += s.g[k], products += s.g[k] * s.normal[k];
    });
    sum = sum_of_row<Rows>(sum) / (float)a.columns;
    products = sum_of_row<Rows>(products) / (float)a.columns;
    row.each([&]<int N>(int64_t j, const slope<N> &s) {
        kd_floats<N> d = {};
        if (a.beta_dx != 0.0f)
            d = kd_load<N>(dx + j);
        for (int k = 0; k < N; k++)
            d.x[k] += rstd * (s.g[k] - sum - s.normal[k] * products);
        kd_store(dx + j, d);
    });
}

/* ---- launches */

template <class Rows> void launch(struct kd_queue *queue, const struct kd_op_layernorm *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        bool in_groups = kd_in_groups<T>(a->columns, a->x, a->y);
        auto kernel = in_groups && kd_is_held<Rows>(a->columns)
                          ? normalize<Rows, kd_row_held, T, values<T>>
                          : normalize<Rows, kd_row_read, T, values<T>>;
        KD_LAUNCH(kernel, Rows::blocks_of(a->rows), KD_THREADS, 0, queue->stream, *a,
                  values<T>{(const T *)a->x}, in_groups);
    });
}

/* Only rows that a thread's registers hold: what is summed is read once. */
template <class Rows, class T>
bool launch_summed(struct kd_queue *queue, const struct kd_op_add_layernorm *a)
{
    struct kd_op_layernorm norm = {};
    norm.weight = a->weight, norm.bias = a->bias, norm.y = a->y, norm.saved = a->saved;
    norm.rows = a->rows, norm.columns = a->columns, norm.epsilon = a->epsilon;
    if (!kd_in_groups<T>(a->columns, a->a, a->b, a->sum, a->y) || !kd_is_held<Rows>(a->columns))
        return false;
    auto kernel = normalize<Rows, kd_row_held, T, sums<T>>;
    KD_LAUNCH(kernel, Rows::blocks_of(a->rows), KD_THREADS, 0, queue->stream, norm,
              sums<T>{(const T *)a->a, (const T *)a->b, (T *)a->sum}, true);
    return true;
}

bool are_summed_on_the_way(struct kd_queue *queue, const struct kd_op_add_layernorm *a)
{
    bool is_done = false;
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        is_done = a->columns > KD_COLUMNS_OF_A_WARP ? launch_summed<kd_block_rows, T>(queue, a)
                                                    : launch_summed<kd_warp_rows, T>(queue, a);
    });
    return is_done;
}

template <class Rows>
void launch_back(struct kd_queue *queue, const struct kd_op_layernorm_backward *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        bool in_groups = kd_in_groups<T>(a->columns, a->x, a->dy, a->dx);
        auto kernel = in_groups && kd_is_held<Rows>(a->columns) ? back<Rows, kd_row_held, T>
                                                                : back<Rows, kd_row_read, T>;
        KD_LAUNCH(kernel, Rows::blocks_of(a->rows), KD_THREADS, 0, queue->stream, *a, in_groups);
    });
}

/* ---- the gradients of weight and bias */

template <class T> struct gradients {
    const T *dy, *x;
    const float *saved;
    int64_t columns;

    template <int N>
    __device__ __forceinline__ void at(int64_t row, int64_t column, kd_pair *sums) const
    {
        float mean = saved[2 * row], rstd = saved[2 * row + 1];
        kd_floats<N> d = kd_load<N>(dy + row * columns + column);
        kd_floats<N> v = kd_load<N>(x + row * columns + column);
        KD_UNROLL
        for (int k = 0; k < N; k++) {
            sums[k].a += (double)d.x[k];
            sums[k].b += (double)(d.x[k] * ((v.x[k] - mean) * rstd));
        }
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
        kd_column_sums<T>(queue, a->rows, a->columns, kd_all_aligned(a->dy, a->x),
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

void kd_cuda_add_layernorm(struct kd_queue *queue, const struct kd_op_add_layernorm *a)
{
    if (a->rows <= 0 || a->columns <= 0 || are_summed_on_the_way(queue, a))
        return;
    struct kd_op_add add = {};
    add.a = a->a, add.b = a->b, add.y = a->sum, add.n = a->rows * a->columns;
    kd_cuda_add(queue, &add);
    struct kd_op_layernorm norm = {};
    norm.x = a->sum, norm.weight = a->weight, norm.bias = a->bias, norm.y = a->y;
    norm.saved = a->saved, norm.rows = a->rows, norm.columns = a->columns;
    norm.epsilon = a->epsilon;
    kd_cuda_layernorm(queue, &norm);
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
