/* columns.cuh - two sums for each column over all rows, in two launches: parts of the rows, then the parts in their order. So the same
 * shape gives the same bits.
 *
 * What is summed is a struct with
 *     __device__ void at(int64_t row, int64_t column, kd_two<T> &sums) const    adds one element
 * and what is done with the result one with
 *     __device__ void take(int64_t column, kd_two<T> sums) const                called once a column
 * T is float or double. */
#ifndef KD_KERNELS_CUDA_COLUMNS_CUH
#define KD_KERNELS_CUDA_COLUMNS_CUH

#include "kernels/cuda/table.h"

template <class T> struct kd_two {
    T a, b;
};

static constexpr int KD_ACROSS = 32, KD_DOWN = 8; /* the threads of a block */

template <class T, class F>
__global__ void kd_columns_kernel(F f, int64_t rows, int64_t columns, int64_t rows_of_part,
                                  kd_two<T> *of_parts)
{
    KD_SHARED(kd_two<T>, of_rows, [KD_DOWN][KD_ACROSS]);
    int64_t across = (columns + KD_ACROSS - 1) / KD_ACROSS, part = blockIdx.x / across;
    int64_t column = blockIdx.x % across * KD_ACROSS + threadIdx.x;
    int64_t from = part * rows_of_part, to = kd_min(from + rows_of_part, rows);
    kd_two<T> sums = {0, 0};
    if (column < columns)
        for (int64_t i = from + threadIdx.y; i < to; i += KD_DOWN)
            f.at(i, column, sums);
    of_rows[threadIdx.y][threadIdx.x] = sums;
    __syncthreads();
    if (threadIdx.y > 0 || column >= columns)
        return;
    for (int y = 1; y < KD_DOWN; y++) {
        sums.a += of_rows[y][threadIdx.x].a;
        sums.b += of_rows[y][threadIdx.x].b;
    }
    of_parts[part * columns + column] = sums;
}

template <class T, class G>
__global__ void kd_columns_end_kernel(G g, int64_t n_parts, int64_t columns,
                                      const kd_two<T> *of_parts)
{
    int64_t column = kd_thread_at();
    if (column >= columns)
        return;
    kd_two<T> sums = {0, 0};
    for (int64_t part = 0; part < n_parts; part++) {
        sums.a += of_parts[part * columns + column].a;
        sums.b += of_parts[part * columns + column].b;
    }
    g.take(column, sums);
}

/* Enough parts to fill a GPU, each with enough rows to be worth it. */
static inline int64_t kd_parts_of(int64_t rows, int64_t columns)
{
    const int64_t rows_least = 64, blocks_wanted = 256;
    int64_t across = (columns + KD_ACROSS - 1) / KD_ACROSS;
    int64_t most = (rows + rows_least - 1) / rows_least;
    return kd_max(kd_min(most, blocks_wanted / across), 1);
}

/* Also without rows: the sums are 0 then. Takes the queue's scratch. */
template <class T, class F, class G>
void kd_columns(struct kd_queue *queue, int64_t rows, int64_t columns, const F &f, const G &g)
{
    if (columns <= 0)
        return;
    int64_t n_parts = kd_parts_of(rows, columns), rows_of_part = (rows + n_parts - 1) / n_parts;
    int64_t across = (columns + KD_ACROSS - 1) / KD_ACROSS;
    kd_two<T> *of_parts =
        (kd_two<T> *)kd_cuda_scratch(queue, (size_t)(n_parts * columns) * sizeof(kd_two<T>));
    auto sum = kd_columns_kernel<T, F>;
    auto end = kd_columns_end_kernel<T, G>;
    KD_LAUNCH(sum, (unsigned)(across * n_parts), dim3(KD_ACROSS, KD_DOWN), 0, queue->stream, f,
              rows, columns, rows_of_part, of_parts);
    unsigned n_blocks = (unsigned)((columns + KD_THREADS - 1) / KD_THREADS);
    KD_LAUNCH(end, n_blocks, KD_THREADS, 0, queue->stream, g, n_parts, columns, of_parts);
}

#endif
