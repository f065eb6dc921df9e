/* port.h - what a kernel source may use beyond CUDA C, so that nvcc compiles it for a GPU and a C++
 * compiler, with the shim of tests/cuda/ for <cuda_runtime.h>, for the tests.
 *
 *   KD_LAUNCH(kernel, grid, block, shared_bytes, stream, args...)    instead of kernel<<<...>>>(args...); a template's
 *                                                                    instance is named by a variable first
 *   KD_SHARED(float, tile, [16][17]);                                instead of __shared__ float tile[16][17]
 *   KD_DYN_SHARED(float, row);                                       the launch's shared_bytes, as float *row, aligned to
 *                                                                    32 bytes
 *   KD_UNROLL for (...)                                              #pragma unroll; KD_UNROLL_BY(4): by 4
 *   KD_CUDA(cudaMalloc(...));                                        every call: what fails ends the process
 *
 * Blocks are a multiple of 32 threads, all of which reach every barrier (no early return before
 * one); warp primitives name the full mask, or one whose lanes all come. No float atomics. Static
 * and dynamic shared memory together are at most 48 KiB. Tensor cores: <mma.h>, 16 x 16 x 16 of fp16
 * or bf16 with sums in fp32, and from architecture 80 on ampere.cuh. Not in the shim: __expf and its like, __activemask, cooperative
 * groups, dynamic parallelism. */
#ifndef KD_KERNELS_CUDA_PORT_H
#define KD_KERNELS_CUDA_PORT_H

#include <cuda_runtime.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef KD_START
#define KD_START(kernel, grid, block, shared_bytes, stream, ...)                                   \
    kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__)
#define KD_SHARED(type, name, dimensions) __shared__ __align__(16) type name dimensions
#define KD_UNROLL                         _Pragma("unroll")
#define KD_UNROLL_BY(n)                   KD_PRAGMA(unroll n)
#define KD_PRAGMA(text)                   _Pragma(#text)
#define KD_DYN_SHARED(type, name)                                                                  \
    extern __shared__ __align__(32) unsigned char kd_dynamic_shared[];                             \
    type *name = reinterpret_cast<type *>(kd_dynamic_shared)
#endif

#define KD_CUDA(call) kd_cuda_check((call), #call, __FILE__, __LINE__)

/* A launch returns nothing: what it fails with is the thread's last error. So is what any call
 * before it failed with, if whoever dealt with that has left it there. */
#define KD_LAUNCH(kernel, ...)                                                                     \
    do {                                                                                           \
        KD_START(kernel, __VA_ARGS__);                                                             \
        kd_cuda_check(cudaGetLastError(), #kernel "<<<>>>", __FILE__, __LINE__);                   \
    } while (0)

/* Ends the process unless error is cudaSuccess: after a failed kernel nothing of this process's GPU
 * memory can be used any more, so the trial has to begin again elsewhere. */
void kd_cuda_check(cudaError_t error, const char *call, const char *file, int line);

static constexpr int KD_THREADS = 256; /* of a block that has no reason for another number */

/* As many blocks as give each of n items a thread, but no more than keep a large GPU busy: kernels
 * go over what is left in steps of the whole grid. n > 0. */
static inline unsigned kd_blocks(int64_t n, int64_t per_block = KD_THREADS)
{
    const int64_t most = 4096;
    int64_t wanted = (n + per_block - 1) / per_block;
    return (unsigned)(wanted < most ? wanted : most);
}

/* This thread's number in the grid, and how many there are: of one-dimensional grids. */
static __device__ __forceinline__ int64_t kd_thread_at()
{
    return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ __forceinline__ int64_t kd_n_threads()
{
    return (int64_t)gridDim.x * blockDim.x;
}

/* Also on the host, where CUDA's min and max are not for all compilers. */
static inline __host__ __device__ int64_t kd_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline __host__ __device__ int64_t kd_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* i % n, in 32 bits where they are enough: 64-bit division is a long subroutine on a GPU. */
static __device__ __forceinline__ int64_t kd_remainder(int64_t i, int64_t n)
{
    return (uint64_t)(i | n) <= UINT32_MAX ? (int64_t)((uint32_t)i % (uint32_t)n) : i % n;
}

static __device__ __forceinline__ int64_t kd_quotient(int64_t i, int64_t n)
{
    return (uint64_t)(i | n) <= UINT32_MAX ? (int64_t)((uint32_t)i / (uint32_t)n) : i / n;
}

#endif
