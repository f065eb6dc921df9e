/* ampere.cuh - what a warp has from architecture 80 on that CUDA C++ has no name for: products in
 * registers, matrices from shared memory, and copies into it that go on by themselves (PTX ISA 9.0,
 * "mma.m16n8k16", "ldmatrix", "cp.async").
 *
 * A product is 16 x 16 times 16 x 8, of fp16 or bf16, with sums in fp32. Unlike those of <mma.h>,
 * it is written down which lane holds what. Lane l has row l / 4 and the pair of neighbours that
 * begins at l % 4 * 2:
 *
 *     left   x[0] (row, k)      x[1] (row + 8, k)     x[2] (row, k + 8)     x[3] (row + 8, k + 8),
 *            each two neighbours in k
 *     right  x[0] (k, column)   x[1] (k + 8, column), each two neighbours in k, column = l / 4
 *     sums   x[0] x[1] (row, two columns)             x[2] x[3] (row + 8, two columns)
 *
 * so that two neighbouring sums, rounded and packed, are a left factor of the next product: sums of
 * columns 0..7 are its x[0] and x[1], those of columns 8..15 its x[2] and x[3].
 *
 * A matrix that is loaded is 8 rows of 16 bytes, and four of them come at once: lane l names row
 * l % 8 of matrix l / 8, anywhere in shared memory at a multiple of 16 bytes. Of matrix i, x[i] then
 * has row l / 4, the pair at l % 4 * 2; turned: column l / 4, rows l % 4 * 2 and the next. Loads
 * order nothing for other lanes: __syncwarp or a block's barrier comes between writing and loading.
 *
 * Copies: a thread begins some, ends the group, and later waits until all but its N latest groups
 * are there. What other threads copied is there after a barrier that follows their waiting.
 *
 * A kernel that uses any of these is launched where kd_is_ampere(queue) alone. All lanes of a warp
 * come to products and loads. */
#ifndef KD_KERNELS_CUDA_AMPERE_CUH
#define KD_KERNELS_CUDA_AMPERE_CUH

#include <string.h>

#include "kernels/cuda/values.cuh"

/* Whether this compilation's GPU has them; kernels are a trap (__trap) where it has not. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
static constexpr bool KD_HAS_AMPERE = false;
#else
static constexpr bool KD_HAS_AMPERE = true;
#endif

/* Of the code that the queue's GPU runs, which is not always of the GPU's own architecture. */
static inline bool kd_is_ampere(const struct kd_queue *queue)
{
    return queue->architecture >= 80;
}

struct kd_left {
    unsigned x[4];
};
struct kd_right {
    unsigned x[2];
};
struct kd_sums {
    float x[4];
};

/* Two sums rounded to T, the first in the lower half. */
template <class T> __device__ __forceinline__ unsigned kd_pack(float first, float second);

template <> __device__ __forceinline__ unsigned kd_pack<__half>(float first, float second)
{
    __half2 pair = __floats2half2_rn(first, second);
    unsigned bits;
    memcpy(&bits, &pair, sizeof bits);
    return bits;
}

template <> __device__ __forceinline__ unsigned kd_pack<__nv_bfloat16>(float first, float second)
{
    __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
    unsigned bits;
    memcpy(&bits, &pair, sizeof bits);
    return bits;
}

/* The shim's <cuda_runtime.h> has what follows under the same names. */
#ifndef KD_PTX
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define KD_PTX(...) asm volatile(__VA_ARGS__)
#else
#define KD_PTX(...) __trap()
#endif

static __device__ __forceinline__ unsigned kd_shared_address(const void *shared)
{
    return (unsigned)__cvta_generic_to_shared(shared);
}

/* 2^x by one instruction: to 2 units in the last place, zero for what is below 2^-126. Every
 * architecture has it. */
static __device__ __forceinline__ float kd_exp2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* sums += left right, of factors of type T. */
template <class T>
__device__ __forceinline__ void kd_multiply(kd_sums &sums, const kd_left &a, const kd_right &b);

#define KD_MULTIPLY(T, type)                                                                       \
    template <>                                                                                    \
    __device__ __forceinline__ void kd_multiply<T>(kd_sums & sums, const kd_left &a,               \
                                                   const kd_right &b)                              \
    {                                                                                              \
        KD_PTX("mma.sync.aligned.m16n8k16.row.col.f32." type "." type ".f32 "                      \
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                   \
               : "+f"(sums.x[0]), "+f"(sums.x[1]), "+f"(sums.x[2]), "+f"(sums.x[3])                \
               : "r"(a.x[0]), "r"(a.x[1]), "r"(a.x[2]), "r"(a.x[3]), "r"(b.x[0]), "r"(b.x[1]));    \
    }
KD_MULTIPLY(__half, "f16")
KD_MULTIPLY(__nv_bfloat16, "bf16")
#undef KD_MULTIPLY

/* Four matrices; row: this lane's, in shared memory. */
#define KD_LOAD_MATRICES(name, how)                                                                \
    static __device__ __forceinline__ void name(unsigned(&x)[4], const void *row)                  \
    {                                                                                              \
        KD_PTX("ldmatrix.sync.aligned.m8n8.x4." how "shared.b16 {%0, %1, %2, %3}, [%4];"           \
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])                                    \
               : "r"(kd_shared_address(row))                                                       \
               : "memory");                                                                        \
    }
KD_LOAD_MATRICES(kd_load_matrices, "")
KD_LOAD_MATRICES(kd_load_matrices_turned, "trans.")
#undef KD_LOAD_MATRICES

/* Begins to copy 16 bytes to shared memory, or zeros where there is nothing to copy (`from` is any
 * valid address then). Both lie at a multiple of 16 bytes. Kept: in the multiprocessor's first
 * cache, for what is copied to other places soon. */
#define KD_COPY(name, cache)                                                                       \
    static __device__ __forceinline__ void name(void *shared, const void *from, bool is_there)     \
    {                                                                                              \
        KD_PTX("cp.async." cache                                                                   \
               ".shared.global [%0], [%1], 16, %2;" ::"r"(kd_shared_address(shared)),              \
               "l"(__cvta_generic_to_global(from)), "r"(is_there ? 16 : 0)                         \
               : "memory");                                                                        \
    }
KD_COPY(kd_copy_16, "cg")
KD_COPY(kd_copy_16_kept, "ca")
#undef KD_COPY

/* What this thread began to copy since the last end is a group, of nothing perhaps. */
static __device__ __forceinline__ void kd_end_copies()
{
    KD_PTX("cp.async.commit_group;" ::: "memory");
}

/* Until all groups of this thread but its N latest are there. */
template <int N> __device__ __forceinline__ void kd_wait_copies()
{
    KD_PTX("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#endif

#endif
