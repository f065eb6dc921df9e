/* embedding.cu - rows of a table, and their gradients without atomics: a block for each row of dy
 * that is the first one of its token adds up all rows of that token, in their order. Tokens are few
 * bytes; looking through them costs less than sorting. */
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/table.h"

namespace
{

template <class T> struct look_up {
    const int32_t *tokens;
    const float *table;
    T *y;
    int64_t columns;

    template <int N> __device__ void at(int64_t i) const
    {
        int64_t row = kd_quotient(i, columns);
        kd_store(y + i, kd_load<N>(table + tokens[row] * columns + (i - row * columns)));
    }
};

/* Which of rows from .. from + KD_THREADS - 1 have the token, in their order, and how many. All
 * threads of the block. */
__device__ int list_rows(const int32_t *tokens, int64_t n_rows, int64_t from, int32_t token,
                         int (&list)[KD_THREADS])
{
    constexpr int N_WARPS = KD_THREADS / KD_WARP;
    KD_SHARED(int, of_warps, [N_WARPS]);
    int me = (int)threadIdx.x, lane = me % KD_WARP, warp = me / KD_WARP, before = 0, n = 0;
    bool has_token = from + me < n_rows && tokens[from + me] == token;
    unsigned lanes = __ballot_sync(0xFFFFFFFFu, has_token);
    if (lane == 0)
        of_warps[warp] = __popc(lanes);
    __syncthreads();
    for (int i = 0; i < N_WARPS; i++) {
        before += i < warp ? of_warps[i] : 0;
        n += of_warps[i];
    }
    if (has_token)
        list[before + __popc(lanes & ((1u << lane) - 1))] = me;
    __syncthreads();
    return n;
}

/* A block of KD_THREADS threads, each with N columns. Rows are loaded ahead of their turn, as far
 * as the loop is unrolled. */
template <int N, class T>
__global__ void add_rows(struct kd_op_embedding_backward a, int64_t n_tiles)
{
    const T *dy = (const T *)a.dy;
    KD_SHARED(int, list, [KD_THREADS]);
    int64_t row = blockIdx.x / n_tiles;
    int64_t column = (blockIdx.x % n_tiles * KD_THREADS + threadIdx.x) * N;
    int32_t token = a.tokens[row];
    int is_seen = 0;
    for (int64_t i = threadIdx.x; i < row; i += KD_THREADS)
        is_seen |= a.tokens[i] == token;
    if (__syncthreads_or(is_seen))
        return; /* the whole block: an earlier row's block does this token */
    bool is_inside = column < a.columns;
    float *to = a.dtable + token * a.columns + column;
    kd_floats<N> sum = {};
    if (is_inside)
        sum = kd_load<N>(to);
    for (int64_t from = row; from < a.rows; from += KD_THREADS) {
        int n_same = list_rows(a.tokens, a.rows, from, token, list);
        KD_UNROLL_BY(8)
        for (int i = 0; i < (is_inside ? n_same : 0); i++) {
            kd_floats<N> more = kd_load<N>(dy + (from + list[i]) * a.columns + column);
            for (int k = 0; k < N; k++)
                sum.x[k] += more.x[k];
        }
    }
    if (is_inside)
        kd_store(to, sum);
}

template <class T> void launch_add(struct kd_queue *queue, const struct kd_op_embedding_backward *a)
{
    constexpr int GROUP = KD_GROUP<T>;
    bool in_groups = kd_in_groups<T>(a->columns, a->dy, a->dtable);
    int64_t of_block = in_groups ? GROUP * KD_THREADS : KD_THREADS;
    int64_t n_tiles = (a->columns + of_block - 1) / of_block;
    auto kernel = in_groups ? add_rows<GROUP, T> : add_rows<1, T>;
    KD_LAUNCH(kernel, (unsigned)(a->rows * n_tiles), KD_THREADS, 0, queue->stream, *a, n_tiles);
}

} // namespace

void kd_cuda_embedding(struct kd_queue *queue, const struct kd_op_embedding *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        bool in_groups = kd_in_groups<T>(a->columns, a->table, a->y);
        kd_map<T>(queue, a->rows * a->columns, in_groups,
                  look_up<T>{a->tokens, a->table, (T *)a->y, a->columns});
    });
}

void kd_cuda_embedding_backward(struct kd_queue *queue, const struct kd_op_embedding_backward *a)
{
    int64_t n = a->n_entries * a->columns;
    if (a->beta == 0.0f && n > 0)
        KD_CUDA(cudaMemsetAsync(a->dtable, 0, (size_t)n * sizeof(float), queue->stream));
    if (a->rows > 0 && a->columns > 0)
        kd_by_storage(queue, [&](auto stored) { launch_add<decltype(stored)>(queue, a); });
}
