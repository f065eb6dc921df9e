/* column_sums.cuh - two sums in double for every column of something like a matrix, in two launches: of parts of the rows, then of
 * the parts in their order, which depends on the sizes alone.
 *
 * What is summed is a struct with
 *     __device__ kd_pair at(int64_t row, int64_t column) const
 * and what is done with a column's sums one with
 *     __device__ void take(int64_t column, kd_pair sums) const */
#ifndef KD_KERNELS_CUDA_COLUMN_SUMS_CUH
#define KD_KERNELS_CUDA_COLUMN_SUMS_CUH

#include "kernels/cuda/sums.cuh"

static constexpr int KD_ACROSS = 32, KD_DOWN = 8; /* of a block's threads */

static __device__ __forceinline__ kd_pair kd_plus_pair(kd_pair x, kd_pair y)
{
    return {x.a + y.a, x.b + y.b};
}

/* parts: [n_parts][columns]. */
template <class F>
__global__ void kd_column_parts(F f, int64_t rows, int64_t columns, int64_t rows_of_part,
                                kd_pair *parts)
{
    KD_SHARED(kd_pair, of_rows, [KD_DOWN][KD_ACROSS]);
    int64_t across = (columns + KD_ACROSS - 1) / KD_ACROSS, part = blockIdx.x / across;
    int64_t column = blockIdx.x % across * KD_ACROSS + threadIdx.x;
    int64_t from = part * rows_of_part, to = from + rows_of_part;
    to = to < rows ? to : rows;
    kd_pair sum = {0.0, 0.0};
    if (column < columns)
        for (int64_t row = from + threadIdx.y; row < to; row += KD_DOWN)
            sum = kd_plus_pair(sum, f.at(row, column));
    of_rows[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || column >= columns)
        return;
    for (int y = 1; y < KD_DOWN; y++)
        sum = kd_plus_pair(sum, of_rows[y][threadIdx.x]);
    parts[part * columns + column] = sum;
}

template <class G>
__global__ void kd_column_ends(G g, const kd_pair *parts, int64_t n_parts, int64_t columns)
{
    for (int64_t column = kd_thread_at(); column < columns; column += kd_n_threads()) {
        kd_pair sum = {0.0, 0.0};
        for (int64_t part = 0; part < n_parts; part++)
            sum = kd_plus_pair(sum, parts[part * columns + column]);
        g.take(column, sum);
    }
}

/* Also without rows: the sums are 0 then. Takes the queue's scratch. */
template <class F, class G>
void kd_column_sums(struct kd_queue *queue, int64_t rows, int64_t columns, const F &f, const G &g)
{
    const int64_t blocks_wanted = 512, rows_least = 64;
    if (columns <= 0)
        return;
    int64_t across = (columns + KD_ACROSS - 1) / KD_ACROSS;
    int64_t n_parts = (rows + rows_least - 1) / rows_least;
    n_parts = n_parts < blocks_wanted / across ? n_parts : blocks_wanted / across;
    n_parts = n_parts > 1 ? n_parts : 1;
    kd_pair *parts =
        (kd_pair *)kd_cuda_scratch(queue, (size_t)(n_parts * columns) * sizeof(kd_pair));
    auto sum_parts = kd_column_parts<F>;
    auto end = kd_column_ends<G>;
    KD_LAUNCH(sum_parts, (unsigned)(n_parts * across), dim3(KD_ACROSS, KD_DOWN), 0, queue->stream,
              f, rows, columns, (rows + n_parts - 1) / n_parts, parts);
    KD_LAUNCH(end, kd_blocks(columns), KD_THREADS, 0, queue->stream, g, parts, n_parts, columns);
}

#endif
