/* attention_tensor.cuh - what the passes of causal attention on tensor cores share (Dao: "FlashAttention-2", 2023): tiles of rows in
 * shared memory, their products by 16 x 16 x 16, and where the numbers of such a product lie.
 *
 * A block of four warps works on 64 rows of one head ("left": queries, or keys), 16 a warp, and walks over tiles of others
 * ("right"). Two products make each pass: left rows times right rows over the head's numbers, in fp32; and what became of them,
 * rounded to T, times the right rows, added up in fp32 registers over all tiles.
 *
 * CUDA does not say which lane holds which sum of a product. It is found out once a block (kd_sum_places), after which sums are
 * multiplied, masked and written where they are, not by way of shared memory. */
#ifndef KD_KERNELS_CUDA_ATTENTION_TENSOR_CUH
#define KD_KERNELS_CUDA_ATTENTION_TENSOR_CUH

#include <mma.h>
#include <string.h>

#include "kernels/cuda/attention_shape.cuh"
#include "kernels/cuda/attention_tensor.h"
#include "kernels/cuda/reduce.cuh"

static constexpr int KD_MMA = 16; /* rows, columns and depth of a product */
static constexpr int KD_TENSOR_WARPS = 4, KD_TENSOR_THREADS = KD_TENSOR_WARPS * KD_WARP,
                     KD_TENSOR_ROWS = KD_TENSOR_WARPS * KD_MMA;

/* Whether T's products are in this compilation's GPU: fp16 since sm_70, bf16 since sm_80. A kernel for others is a trap; no queue
 * gets there (set_precision, device.h). */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
template <class T> constexpr bool KD_HAS_TENSOR = false;
template <> inline constexpr bool KD_HAS_TENSOR<__half> = true;
#else
template <class T> constexpr bool KD_HAS_TENSOR = true;
#endif

/* f.operator()<T, SIZE>() with the queue's storage and the head's size, where those are for tensor cores. */
template <class T, class F> bool kd_by_head_size(int64_t size, const F &f)
{
    switch (size) {
    case 32:
        return f.template operator()<T, 32>(), true;
    case 64:
        return f.template operator()<T, 64>(), true;
    case 128:
        return f.template operator()<T, 128>(), true;
    default:
        return false;
    }
}

template <class F> bool kd_by_tensor(const struct kd_queue *queue, int64_t size, const F &f)
{
    switch (queue->precision) {
    case KD_PRECISION_BF16:
        return kd_by_head_size<__nv_bfloat16>(size, f);
    case KD_PRECISION_FP16:
        return kd_by_head_size<__half>(size, f);
    default:
        return false;
    }
}

/* ---- what a block works on */

static inline int64_t kd_tensor_blocks(const kd_attention_shape &shape)
{
    return shape.n * shape.n_heads * ((shape.length + KD_TENSOR_ROWS - 1) / KD_TENSOR_ROWS);
}

/* Blocks begin in this order, those with most to do first: those of the last rows where `last_first`, else those of the first. */
static __device__ __forceinline__ kd_attention_place
kd_tensor_place(const kd_attention_shape &shape, bool last_first)
{
    int64_t at = blockIdx.x, n_tiles = (shape.length + KD_TENSOR_ROWS - 1) / KD_TENSOR_ROWS;
    int64_t tile = kd_quotient(at, shape.n * shape.n_heads);
    at = kd_remainder(at, shape.n * shape.n_heads);
    return {kd_quotient(at, shape.n_heads), kd_remainder(at, shape.n_heads),
            (last_first ? n_tiles - 1 - tile : tile) * KD_TENSOR_ROWS, 0};
}

static __device__ __forceinline__ int kd_warp_at()
{
    return (int)threadIdx.x / KD_WARP;
}

static __device__ __forceinline__ int kd_lane_at()
{
    return (int)threadIdx.x % KD_WARP;
}

/* ---- rows in shared memory */

/* Rows begin 16 bytes further in the banks than the last, so that eight of them are read at once. */
template <int SIZE> constexpr int KD_ROW_PITCH = SIZE + 8;

template <class T, int SIZE, int ROWS> using kd_tensor_tile = T[ROWS][KD_ROW_PITCH<SIZE>];

/* tile[r] = row first + r, zeros from the length on. All threads of the block. */
template <class T, int SIZE, int ROWS>
__device__ __forceinline__ void kd_load_rows(kd_tensor_tile<T, SIZE, ROWS> &tile,
                                             const kd_head_rows<const T> &rows, int64_t first,
                                             int64_t length)
{
    constexpr int GROUPS = SIZE / KD_GROUP<T>, AT_ONCE = KD_TENSOR_THREADS / GROUPS;
    static_assert(ROWS % AT_ONCE == 0, "every thread loads as many");
    int mine = (int)threadIdx.x / GROUPS, i = (int)threadIdx.x % GROUPS * KD_GROUP<T>;
    const T *from = rows.x + (first + mine) * rows.stride + i;
    KD_UNROLL
    for (int r = 0; r < ROWS; r += AT_ONCE) {
        kd_group<T> group = {};
        if (first + mine + r < length)
            group = *reinterpret_cast<const kd_group<T> *>(from + r * rows.stride);
        *reinterpret_cast<kd_group<T> *>(&tile[mine + r][i]) = group;
    }
}

/* ---- sums of a warp: of its 16 left rows, and of 16 columns */

using kd_tensor_sums =
    nvcuda::wmma::fragment<nvcuda::wmma::accumulator, KD_MMA, KD_MMA, KD_MMA, float>;
static constexpr int KD_SUMS_EACH = kd_tensor_sums::num_elements;

template <class T, class Layout>
using kd_left_factor =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, KD_MMA, KD_MMA, KD_MMA, T, Layout>;
template <class T, class Layout>
using kd_right_factor =
    nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, KD_MMA, KD_MMA, KD_MMA, T, Layout>;

/* A factor from shared memory, of which `pitch` elements lie between neighbouring rows (col_major: columns). */
template <class Factor, class T>
__device__ __forceinline__ void kd_load_factor(Factor &to, const T *from, int pitch)
{
    nvcuda::wmma::load_matrix_sync(to, from, (unsigned)pitch);
}

/* nvcc 13.0 does not see of bf16, as it does of fp16, that the matrix is in shared memory, and loads it as from anywhere, word by word.
 * The same instruction that load_matrix_sync stands for, told. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define KD_LOAD_BF16(factor, layout, instruction)                                                  \
    static __device__ __forceinline__ void kd_load_factor(                                         \
        factor<__nv_bfloat16, nvcuda::wmma::layout> &to, const __nv_bfloat16 *from, int pitch)     \
    {                                                                                              \
        static_assert(sizeof to.x == 4 * sizeof(unsigned), "four registers of two");               \
        unsigned x[4];                                                                             \
        asm volatile("wmma.load." instruction ".m16n16k16.shared.bf16 {%0, %1, %2, %3}, [%4], %5;" \
                     : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])                              \
                     : "r"((unsigned)__cvta_generic_to_shared(from)), "r"(pitch)                   \
                     : "memory");                                                                  \
        memcpy(to.x, x, sizeof x);                                                                 \
    }
KD_LOAD_BF16(kd_left_factor, row_major, "a.sync.aligned.row")
KD_LOAD_BF16(kd_right_factor, row_major, "b.sync.aligned.row")
KD_LOAD_BF16(kd_right_factor, col_major, "b.sync.aligned.col")
#undef KD_LOAD_BF16
#endif

typedef float kd_place_table[KD_MMA * KD_MMA];

/* A table of its own indices, which a fragment then shows. All threads of the block, and a barrier before it is read. */
static __device__ __forceinline__ void kd_write_places(kd_place_table &table)
{
    for (int i = (int)threadIdx.x; i < KD_MMA * KD_MMA; i += KD_TENSOR_THREADS)
        table[i] = (float)i;
}

/* Where a lane's sums stand in their 16 x 16. */
struct kd_sum_places {
    int at[KD_SUMS_EACH];

    __device__ __forceinline__ explicit kd_sum_places(const kd_place_table &table)
    {
        kd_tensor_sums shown;
        nvcuda::wmma::load_matrix_sync(shown, table, KD_MMA, nvcuda::wmma::mem_row_major);
        KD_UNROLL
        for (int i = 0; i < KD_SUMS_EACH; i++)
            at[i] = (int)shown.x[i];
    }
    __device__ __forceinline__ int row(int i) const
    {
        return at[i] / KD_MMA;
    }
    __device__ __forceinline__ int column(int i) const
    {
        return at[i] % KD_MMA;
    }
};

template <int N> __device__ __forceinline__ void kd_clear_sums(kd_tensor_sums (&sums)[N])
{
    KD_UNROLL
    for (int j = 0; j < N; j++)
        nvcuda::wmma::fill_fragment(sums[j], 0.0f);
}

/* sums[j] = the warp's 16 rows of left, from `left` on, times rows 16 j and on of right. */
template <int SIZE, class T, int N>
__device__ __forceinline__ void kd_multiply_rows(const T *left, const T *right,
                                                 kd_tensor_sums (&sums)[N])
{
    constexpr int PITCH = KD_ROW_PITCH<SIZE>;
    kd_clear_sums(sums);
    KD_UNROLL
    for (int k = 0; k < SIZE; k += KD_MMA) {
        kd_left_factor<T, nvcuda::wmma::row_major> a;
        kd_load_factor(a, left + k, PITCH);
        KD_UNROLL
        for (int j = 0; j < N; j++) {
            kd_right_factor<T, nvcuda::wmma::col_major> b;
            kd_load_factor(b, right + j * KD_MMA * PITCH + k, PITCH);
            nvcuda::wmma::mma_sync(sums[j], a, b, sums[j]);
        }
    }
}

/* sums[j] += the warp's weights, 16 rows of TILE, times numbers 16 j and on of right's TILE rows. */
template <int SIZE, int TILE, class T>
__device__ __forceinline__ void kd_add_weighted(const T *weights, int weights_pitch, const T *right,
                                                kd_tensor_sums (&sums)[SIZE / KD_MMA])
{
    constexpr int PITCH = KD_ROW_PITCH<SIZE>;
    KD_UNROLL
    for (int k = 0; k < TILE; k += KD_MMA) {
        kd_left_factor<T, nvcuda::wmma::row_major> a;
        kd_load_factor(a, weights + k, weights_pitch);
        KD_UNROLL
        for (int j = 0; j < SIZE / KD_MMA; j++) {
            kd_right_factor<T, nvcuda::wmma::row_major> b;
            kd_load_factor(b, right + k * PITCH + j * KD_MMA, PITCH);
            nvcuda::wmma::mma_sync(sums[j], a, b, sums[j]);
        }
    }
}

/* Writes the sums as rows first .. first + 15, as far as there are such, by way of 16 rows of shared memory that nobody else uses: rows
 * are written in groups of 16 bytes, and lanes hold single numbers. */
template <int SIZE, class T>
__device__ __forceinline__ void
kd_write_rows(T *tile, const kd_tensor_sums (&sums)[SIZE / KD_MMA], const kd_sum_places &places,
              const kd_head_rows<T> &rows, int64_t first, int64_t length)
{
    constexpr int PITCH = KD_ROW_PITCH<SIZE>, GROUPS = SIZE / KD_GROUP<T>;
    KD_UNROLL
    for (int j = 0; j < SIZE / KD_MMA; j++)
        KD_UNROLL
    for (int i = 0; i < KD_SUMS_EACH; i++)
        kd_put(&tile[places.row(i) * PITCH + j * KD_MMA + places.column(i)], sums[j].x[i]);
    __syncwarp();
    KD_UNROLL
    for (int at = kd_lane_at(); at < KD_MMA * GROUPS; at += KD_WARP) {
        int r = at / GROUPS, i = at % GROUPS * KD_GROUP<T>;
        T *to = rows.x + (first + r) * rows.stride + i;
        if (first + r < length)
            *reinterpret_cast<kd_group<T> *>(to) =
                *reinterpret_cast<const kd_group<T> *>(&tile[r * PITCH + i]);
    }
}

/* Scores' softmax is of powers of two, which are what a GPU computes: 2^(x log2 e) = e^x. */
static constexpr float KD_LOG2_E = 1.44269504088896341f, KD_LN_2 = 0.693147180559945309f;

#endif
