/* rows.cuh - which threads share a row: a warp, or a whole block where rows are long. A kernel is written once for both, as a template
 * over one of these structs; its blocks have KD_THREADS threads. */
#ifndef KD_KERNELS_CUDA_ROWS_CUH
#define KD_KERNELS_CUDA_ROWS_CUH

#include "kernels/cuda/reduce.cuh"

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

#endif
