/* embedding.cu - rows of a table, and their gradient. */
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/table.h"

namespace
{

struct look_up {
    const int32_t *tokens;
    const float *table;
    float *y;
    int64_t columns;

    template <int N> __device__ void at(int64_t i) const
    {
        int64_t row = kd_quotient(i, columns), column = i - row * columns;
        kd_store(y + i, kd_load<N>(table + (int64_t)tokens[row] * columns + column));
    }
};

/* A warp has N columns a lane of one entry. It looks at 32 tokens at a time and adds the rows of those that name the entry, in
 * their order. */
template <int N> __global__ void add_rows(struct kd_op_embedding_backward a, int64_t across)
{
    int64_t n_units = a.n_entries * across, step = kd_n_threads() / KD_WARP;
    int lane = (int)threadIdx.x % KD_WARP;
    for (int64_t unit = kd_thread_at() / KD_WARP; unit < n_units; unit += step) {
        int64_t entry = unit / across, column = (unit % across * KD_WARP + lane) * N;
        float *to = a.dtable + entry * a.columns + column;
        bool is_mine = column < a.columns;
        kd_floats<N> sum = {};
        if (is_mine && a.beta != 0.0f)
            sum = kd_load<N>(to);
        for (int64_t base = 0; base < a.rows; base += KD_WARP) {
            bool is_hit = base + lane < a.rows && a.tokens[base + lane] == entry;
            for (unsigned hits = __ballot_sync(0xFFFFFFFFu, is_hit); hits; hits &= hits - 1) {
                int64_t row = base + __ffs((int)hits) - 1;
                kd_floats<N> more = {};
                if (is_mine)
                    more = kd_load<N>(a.dy + row * a.columns + column);
                for (int k = 0; k < N; k++)
                    sum.x[k] += more.x[k];
            }
        }
        if (is_mine)
            kd_store(to, sum);
    }
}

} // namespace

void kd_cuda_embedding(struct kd_queue *queue, const struct kd_op_embedding *a)
{
    bool by_four = a->columns % 4 == 0 && kd_all_aligned(a->table, a->y);
    kd_map(queue, a->rows * a->columns, by_four, look_up{a->tokens, a->table, a->y, a->columns});
}

void kd_cuda_embedding_backward(struct kd_queue *queue, const struct kd_op_embedding_backward *a)
{
    bool by_four = a->columns % 4 == 0 && kd_all_aligned(a->dy, a->dtable);
    int64_t of_warp = by_four ? 4 * KD_WARP : KD_WARP;
    int64_t across = (a->columns + of_warp - 1) / of_warp, n_units = a->n_entries * across;
    auto kernel = by_four ? add_rows<4> : add_rows<1>;
    if (n_units > 0)
        KD_LAUNCH(kernel, kd_blocks(n_units, KD_THREADS / KD_WARP), KD_THREADS, 0, queue->stream,
                  *a, across);
}
