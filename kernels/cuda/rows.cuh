/* rows.cuh - which threads share a row: a warp, or a whole block where rows are long. A kernel is
 * written once for both, as a template over one of these structs; its blocks have KD_THREADS
 * threads.
 *
 * A thread's part of a row is groups of neighbours (values.cuh) where the row has them.
 * kd_each_of_row goes over it once; what is gone over several times is a kd_row_held, in registers,
 * or where it is too long or lies as no groups can a kd_row_read, from memory each time. What such
 * a row consists of says a struct with
 *     template <int N> using of = kd_floats<N>                what N neighbours are
 *     template <int N> __device__ of<N> at(int64_t j) const   neighbours j .. j + N - 1; N is 1 or a group
 */
#ifndef KD_KERNELS_CUDA_ROWS_CUH
#define KD_KERNELS_CUDA_ROWS_CUH

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/values.cuh"

static constexpr int64_t KD_COLUMNS_OF_A_WARP = 1024; /* longer rows take a block */

struct kd_warp_rows {
    static constexpr int N_THREADS = KD_WARP, ROWS_OF_BLOCK = KD_THREADS / KD_WARP;

    static unsigned blocks_of(int64_t rows)
    {
        return (unsigned)((rows + ROWS_OF_BLOCK - 1) / ROWS_OF_BLOCK);
    }
    static __device__ __forceinline__ int64_t row()
    {
        return (int64_t)blockIdx.x * ROWS_OF_BLOCK + threadIdx.x / KD_WARP;
    }
    static __device__ __forceinline__ int thread()
    {
        return (int)threadIdx.x % KD_WARP;
    }
    template <class Op, class T> static __device__ __forceinline__ T reduce(T mine, T)
    {
        return kd_warp_reduce<Op>(mine);
    }
};

struct kd_block_rows {
    static constexpr int N_THREADS = KD_THREADS, ROWS_OF_BLOCK = 1;

    static unsigned blocks_of(int64_t rows)
    {
        return (unsigned)rows;
    }
    static __device__ __forceinline__ int64_t row()
    {
        return blockIdx.x;
    }
    static __device__ __forceinline__ int thread()
    {
        return (int)threadIdx.x;
    }
    template <class Op, class T> static __device__ T reduce(T mine, T nothing)
    {
        return kd_block_reduce<Op>(mine, nothing);
    }
};

/* ---- a thread's part of a row */

/* Says how many neighbours. */
template <int N> struct kd_some {
};

/* The first of n values that begins a group. */
template <class T> __device__ __forceinline__ int64_t kd_first_group(const T *x, int64_t n)
{
    return kd_min((int64_t)(-(uintptr_t)x % 16 / sizeof(T)), n);
}

/* body(j, kd_some<N>()) for neighbours j .. j + N - 1 of a row of n: groups from `first` on (n:
 * none), and one by one what is before them and what is left. */
template <class Rows, int GROUP, class Body>
__device__ __forceinline__ void kd_each_of_row(int64_t first, int64_t n, Body body)
{
    int64_t n_groups = (n - first) / GROUP, n_alone = n - GROUP * n_groups;
    for (int64_t group = Rows::thread(); group < n_groups; group += Rows::N_THREADS)
        body(first + GROUP * group, kd_some<GROUP>());
    for (int64_t i = Rows::thread(); i < n_alone; i += Rows::N_THREADS)
        body(i < first ? i : i + GROUP * n_groups, kd_some<1>());
}

/* The greatest number of values that a thread holds. */
static constexpr int KD_HELD = 32;

template <class Rows> static inline bool kd_is_held(int64_t columns)
{
    return columns <= (int64_t)KD_HELD * Rows::N_THREADS;
}

/* Rows of whole groups, all of them where groups may be read. */
template <class Rows, int GROUP, class Source> struct kd_row_held {
    static constexpr int MOST = KD_HELD / GROUP;
    typename Source::template of<GROUP> groups[MOST];
    int64_t n;

    __device__ __forceinline__ void take(const Source &source, int64_t n_of_row, bool)
    {
        n = n_of_row;
        KD_UNROLL
        for (int i = 0; i < MOST; i++)
            if (place(i) < n)
                groups[i] = source.template at<GROUP>(place(i));
    }
    static __device__ __forceinline__ int64_t place(int i)
    {
        return (int64_t)GROUP * (Rows::thread() + i * Rows::N_THREADS);
    }
    /* body(j, neighbours) */
    template <class Body> __device__ __forceinline__ void each(Body body) const
    {
        KD_UNROLL
        for (int i = 0; i < MOST; i++)
            if (place(i) < n)
                body(place(i), groups[i]);
    }
};

/* Any rows; in_groups: of whole groups, all of them where groups may be read. */
template <class Rows, int GROUP, class Source> struct kd_row_read {
    Source source;
    int64_t n;
    bool in_groups;

    __device__ __forceinline__ void take(const Source &from, int64_t n_of_row, bool has_groups)
    {
        source = from, n = n_of_row, in_groups = has_groups;
    }
    template <class Body> __device__ __forceinline__ void each(Body body) const
    {
        kd_each_of_row<Rows, GROUP>(in_groups ? 0 : n, n, [&]<int N>(int64_t j, kd_some<N>) {
            body(j, source.template at<N>(j));
        });
    }
};

#endif
