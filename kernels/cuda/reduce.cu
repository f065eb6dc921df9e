/* reduce.cu - sums of columns, the norm's sum of squares, and where an array stops being finite. */
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/sums.cuh"
#include "kernels/cuda/table.h"

namespace
{

/* ---- columns: a block sums 32 of them, or 32 groups, over a part of the rows, and the parts' sums
 * are summed in their order */

constexpr int ACROSS = 32, DOWN = 8;

template <class T> struct columns {
    const T *x;
    float *sums; /* [n_parts][columns] */
    int64_t rows, columns, rows_of_part;
    bool adds;
};

template <int N> __device__ __forceinline__ void add_to(kd_floats<N> &sum, const kd_floats<N> &more)
{
    for (int k = 0; k < N; k++)
        sum.x[k] += more.x[k];
}

/* N columns a thread. */
template <int N, class T> __global__ void sum_columns(struct columns<T> a)
{
    KD_SHARED(kd_floats<N>, of_rows, [DOWN][ACROSS]);
    int64_t across = (a.columns + N * ACROSS - 1) / (N * ACROSS), part = blockIdx.x / across;
    int64_t column = (blockIdx.x % across * ACROSS + threadIdx.x) * N;
    int64_t from = part * a.rows_of_part, to = kd_min(from + a.rows_of_part, a.rows);
    kd_floats<N> sum = {};
    if (column < a.columns)
        for (int64_t i = from + threadIdx.y; i < to; i += DOWN)
            add_to(sum, kd_load<N>(a.x + i * a.columns + column));
    of_rows[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || column >= a.columns)
        return;
    float *to_sum = &a.sums[part * a.columns + column];
    sum = a.adds ? kd_load<N>(to_sum) : kd_floats<N>{};
    for (int y = 0; y < DOWN; y++)
        add_to(sum, of_rows[y][threadIdx.x]);
    kd_store(to_sum, sum);
}

template <class T> void launch_columns(struct kd_queue *queue, struct columns<T> a, int64_t n_parts)
{
    constexpr int GROUP = KD_GROUP<T>;
    bool in_groups = a.columns % GROUP == 0 && kd_all_aligned(a.x, a.sums);
    int64_t of_block = in_groups ? GROUP * ACROSS : ACROSS;
    int64_t n_blocks = (a.columns + of_block - 1) / of_block * n_parts;
    auto kernel = in_groups ? sum_columns<GROUP, T> : sum_columns<1, T>;
    a.rows_of_part = (a.rows + n_parts - 1) / n_parts;
    KD_LAUNCH(kernel, (unsigned)n_blocks, dim3(ACROSS, DOWN), 0, queue->stream, a);
}

/* Enough parts to fill a GPU, each with enough rows to be worth it. */
int64_t parts_of(int64_t rows, int64_t n_columns)
{
    const int64_t rows_least = 64, blocks_wanted = 512;
    int64_t across = (n_columns + ACROSS - 1) / ACROSS;
    int64_t most = (rows + rows_least - 1) / rows_least, wanted = blocks_wanted / across;
    return kd_max(kd_min(most, wanted), 1);
}

/* ---- sums of squares */

struct squares {
    const float *x;

    template <int N> __device__ void at(int64_t i, kd_pair &sums) const
    {
        kd_floats<N> v = kd_load<N>(x + i);
        for (int k = 0; k < N; k++)
            sums.a += (double)v.x[k] * (double)v.x[k];
    }
};

struct store_sum {
    double *sum;

    __device__ void take(kd_pair sums) const
    {
        *sum = sums.a;
    }
};

/* ---- the first that is not finite */

__device__ int64_t first_of_block(int64_t mine)
{
    return kd_block_reduce<kd_less>(mine, (int64_t)INT64_MAX);
}

__device__ int64_t first_of(const int64_t *firsts, int64_t n)
{
    int64_t found = INT64_MAX;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
        found = kd_min(found, firsts[i]);
    return first_of_block(found);
}

__global__ void find_first(const float *x, int64_t n, int64_t *of_blocks, unsigned *counter,
                           int64_t *at)
{
    int64_t found = INT64_MAX;
    for (int64_t i = kd_thread_at(); i < n && found == INT64_MAX; i += kd_n_threads())
        if ((__float_as_uint(x[i]) & 0x7F800000u) == 0x7F800000u)
            found = i;
    found = first_of_block(found);
    if (threadIdx.x == 0)
        of_blocks[blockIdx.x] = found;
    if (!kd_is_last_block(counter))
        return;
    found = first_of(of_blocks, gridDim.x);
    if (threadIdx.x == 0)
        *at = found == INT64_MAX ? -1 : found;
}

} // namespace

template <class T> static void column_sum(struct kd_queue *queue, const struct kd_op_column_sum *a)
{
    const T *x = (const T *)a->x;
    bool adds = a->beta != 0.0f;
    int64_t n_parts = parts_of(a->rows, a->columns);
    if (n_parts == 1) {
        launch_columns(queue, columns<T>{x, a->sums, a->rows, a->columns, 0, adds}, 1);
        return;
    }
    float *sums = (float *)kd_cuda_scratch(queue, (size_t)(n_parts * a->columns) * sizeof(float));
    launch_columns(queue, columns<T>{x, sums, a->rows, a->columns, 0, false}, n_parts);
    launch_columns(queue, columns<float>{sums, a->sums, n_parts, a->columns, 0, adds}, 1);
}

void kd_cuda_column_sum(struct kd_queue *queue, const struct kd_op_column_sum *a)
{
    if (a->columns > 0)
        kd_by_storage(queue, [&](auto stored) { column_sum<decltype(stored)>(queue, a); });
}

void kd_cuda_sum_squares(struct kd_queue *queue, const struct kd_op_sum_squares *a)
{
    kd_sum(queue, a->n, kd_all_aligned(a->x), squares{a->x}, store_sum{a->sum});
}

void kd_cuda_find_nonfinite(struct kd_queue *queue, const struct kd_op_find_nonfinite *a)
{
    unsigned n_blocks = kd_blocks(kd_max(a->n, 1), 4 * KD_THREADS);
    int64_t *firsts = (int64_t *)kd_cuda_scratch(queue, n_blocks * sizeof *firsts);
    KD_LAUNCH(find_first, n_blocks, KD_THREADS, 0, queue->stream, a->x, a->n, firsts,
              kd_cuda_counter(queue), a->at);
}
