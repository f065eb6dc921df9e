/* column_sums.cuh - two sums in double for every column of something like a matrix: of parts of the
 * rows, then, where there are several, of the parts in a second launch. The order of a sum depends
 * on the sizes alone, and on what the values are stored as.
 *
 * What is summed is a struct with
 *     template <int N> __device__ void at(int64_t row, int64_t column, kd_pair *sums) const
 *                        adds to the sums of N neighbouring columns, N being 1 or a group of values (values.cuh)
 * and what is done with a column's sums one with
 *     __device__ void take(int64_t column, kd_pair sums) const */
#ifndef KD_KERNELS_CUDA_COLUMN_SUMS_CUH
#define KD_KERNELS_CUDA_COLUMN_SUMS_CUH

#include "kernels/cuda/sums.cuh"

static __device__ __forceinline__ void kd_add_pair(kd_pair &sum, const kd_pair &more)
{
    sum.a += more.a;
    sum.b += more.b;
}

/* How KD_THREADS threads share a part of the rows: `across` of them lie side by side, with N
 * columns each, and the others below them take the next rows. */
struct kd_column_layout {
    int64_t rows, columns, rows_of_part, n_across; /* n_across: blocks */
    int across;
};

/* N columns from `column` on, WIDTH at a time. */
template <int N, int WIDTH, class F>
__device__ __forceinline__ void kd_sum_rows(const F &f, int64_t row, int64_t end, int step,
                                            int64_t column, kd_pair *sums)
{
    KD_UNROLL_BY(4)
    for (; row < end; row += step) {
        KD_UNROLL
        for (int k = 0; k < N; k += WIDTH)
            f.template at<WIDTH>(row, column + k, sums + k);
    }
}

/* A block takes N across columns over a part of the rows. parts: [n_parts][columns]; NULL: there is
 * one, whose sums g takes. Columns that are a multiple of N are summed by the same threads whether
 * or not their values may be read in groups. */
template <int N, class F, class G>
__global__ void kd_column_parts(F f, G g, struct kd_column_layout layout, bool in_groups,
                                kd_pair *parts)
{
    KD_SHARED(kd_pair, of_rows, [KD_THREADS * N]); /* [rows below each other][N across] */
    int x = (int)threadIdx.x % layout.across, y = (int)threadIdx.x / layout.across;
    int down = KD_THREADS / layout.across, width = N * layout.across;
    int64_t part = blockIdx.x / layout.n_across, begin = blockIdx.x % layout.n_across * width;
    int64_t column = begin + N * x, end = kd_min((part + 1) * layout.rows_of_part, layout.rows);
    kd_pair sums[N] = {};
    if (column < layout.columns) {
        int64_t row = part * layout.rows_of_part + y;
        if (in_groups)
            kd_sum_rows<N, N>(f, row, end, down, column, sums);
        else
            kd_sum_rows<N, 1>(f, row, end, down, column, sums);
    }
    KD_UNROLL
    for (int k = 0; k < N; k++)
        of_rows[y * width + N * x + k] = sums[k];
    __syncthreads();
    int mine = (int)threadIdx.x;
    if (mine >= width || begin + mine >= layout.columns)
        return;
    kd_pair sum = {0.0, 0.0};
    for (int row = 0; row < down; row++)
        kd_add_pair(sum, of_rows[row * width + mine]);
    if (parts)
        parts[part * layout.columns + begin + mine] = sum;
    else
        g.take(begin + mine, sum);
}

static constexpr int KD_ENDS_ACROSS = 8, KD_ENDS_DOWN = KD_THREADS / KD_ENDS_ACROSS;

/* There may be many parts of few columns: 32 threads share a column's. */
template <class G>
__global__ void kd_column_ends(G g, const kd_pair *parts, int64_t n_parts, int64_t columns)
{
    KD_SHARED(kd_pair, of_threads, [KD_ENDS_DOWN][KD_ENDS_ACROSS]);
    int64_t column = (int64_t)blockIdx.x * KD_ENDS_ACROSS + threadIdx.x;
    int64_t n_mine = column < columns ? n_parts : 0;
    kd_pair sum = {0.0, 0.0};
    KD_UNROLL_BY(4)
    for (int64_t part = threadIdx.y; part < n_mine; part += KD_ENDS_DOWN)
        kd_add_pair(sum, parts[part * columns + column]);
    of_threads[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || column >= columns)
        return;
    for (int y = 1; y < KD_ENDS_DOWN; y++)
        kd_add_pair(sum, of_threads[y][threadIdx.x]);
    g.take(column, sum);
}

/* As many threads side by side as there are columns for, from 4 to 32 of them. */
static inline int kd_columns_across(int64_t n_threads)
{
    int across = 4;
    while (across < 32 && across < n_threads)
        across *= 2;
    return across;
}

/* Enough parts to fill a GPU several times over, each with enough rows to be worth it. */
static inline int64_t kd_column_n_parts(int64_t rows, int64_t n_across)
{
    const int64_t blocks_wanted = 1024, rows_least = 64;
    return kd_max(kd_min((rows + rows_least - 1) / rows_least, blocks_wanted / n_across), 1);
}

template <class G>
void kd_column_sums_end(struct kd_queue *queue, const kd_pair *parts, int64_t n_parts,
                        int64_t columns, const G &g)
{
    auto end = kd_column_ends<G>;
    KD_LAUNCH(end, (unsigned)((columns + KD_ENDS_ACROSS - 1) / KD_ENDS_ACROSS),
              dim3(KD_ENDS_ACROSS, KD_ENDS_DOWN), 0, queue->stream, g, parts, n_parts, columns);
}

template <int N, class F, class G>
void kd_column_sums_by(struct kd_queue *queue, struct kd_column_layout layout, bool in_groups,
                       const F &f, const G &g)
{
    int64_t columns = layout.columns;
    layout.across = kd_columns_across((columns + N - 1) / N);
    layout.n_across = (columns + N * layout.across - 1) / (N * layout.across);
    int64_t n_parts = kd_column_n_parts(layout.rows, layout.n_across);
    layout.rows_of_part = (layout.rows + n_parts - 1) / n_parts;
    kd_pair *parts = NULL;
    if (n_parts > 1)
        parts = (kd_pair *)kd_cuda_scratch(queue, (size_t)(n_parts * columns) * sizeof(kd_pair));
    auto sum_parts = kd_column_parts<N, F, G>;
    KD_LAUNCH(sum_parts, (unsigned)(n_parts * layout.n_across), KD_THREADS, 0, queue->stream, f, g,
              layout, in_groups, parts);
    if (parts)
        kd_column_sums_end(queue, parts, n_parts, columns, g);
}

/* T as in map.cuh; in_groups: may f read groups of columns, where these are a multiple of one? Also
 * without rows: the sums are 0 then. Takes the queue's scratch. */
template <class T, class F, class G>
void kd_column_sums(struct kd_queue *queue, int64_t rows, int64_t columns, bool in_groups,
                    const F &f, const G &g)
{
    struct kd_column_layout layout = {rows, columns, 0, 0, 0};
    if (columns <= 0)
        return;
    if (columns % KD_GROUP<T> == 0)
        kd_column_sums_by<KD_GROUP<T>>(queue, layout, in_groups, f, g);
    else
        kd_column_sums_by<1>(queue, layout, false, f, g);
}

#endif
