/* attention_blocks.cuh - what blocks of causal attention on tensor cores have in common, by <mma.h>
 * or by ampere.cuh: four warps that work on some rows of one head ("left": queries, or keys), each
 * on its own, and walk over tiles of others ("right"). Two products make each pass: left rows times
 * right rows over the head's numbers, in fp32; and what became of them, rounded to T, times the
 * right rows, added up in fp32 registers over all tiles (Dao: "FlashAttention-2", 2023). */
#ifndef KD_KERNELS_CUDA_ATTENTION_BLOCKS_CUH
#define KD_KERNELS_CUDA_ATTENTION_BLOCKS_CUH

#include "kernels/cuda/attention_shape.cuh"
#include "kernels/cuda/reduce.cuh"

static constexpr int KD_TENSOR_WARPS = 4, KD_TENSOR_THREADS = KD_TENSOR_WARPS * KD_WARP;

/* f.operator()<SIZE>() with the head's size, which is one of these. */
template <class F> void kd_by_head_size(int64_t size, const F &f)
{
    switch (size) {
    case 32:
        return f.template operator()<32>();
    case 64:
        return f.template operator()<64>();
    default:
        return f.template operator()<128>();
    }
}

static inline __host__ __device__ int64_t kd_tensor_n_tiles(const kd_attention_shape &shape,
                                                            int rows)
{
    return (shape.length + rows - 1) / rows;
}

/* A block for so many left rows of a head. */
static inline unsigned kd_tensor_blocks(const kd_attention_shape &shape, int rows)
{
    return (unsigned)(shape.n * shape.n_heads * kd_tensor_n_tiles(shape, rows));
}

/* Blocks begin in this order, those with most to do first: those of the last rows where
 * `last_first`, else those of the first. */
static __device__ __forceinline__ kd_attention_place
kd_tensor_place(const kd_attention_shape &shape, int rows, bool last_first)
{
    int64_t at = blockIdx.x, n_tiles = kd_tensor_n_tiles(shape, rows);
    int64_t tile = kd_quotient(at, shape.n * shape.n_heads);
    at = kd_remainder(at, shape.n * shape.n_heads);
    return {kd_quotient(at, shape.n_heads), kd_remainder(at, shape.n_heads),
            (last_first ? n_tiles - 1 - tile : tile) * rows, 0};
}

static __device__ __forceinline__ int kd_warp_at()
{
    return (int)threadIdx.x / KD_WARP;
}

static __device__ __forceinline__ int kd_lane_at()
{
    return (int)threadIdx.x % KD_WARP;
}

/* Scores' softmax is of powers of two, which are what a GPU computes: 2^(x log2 e) = e^x. */
static constexpr float KD_LOG2_E = 1.44269504088896341f, KD_LN_2 = 0.693147180559945309f;

#endif
