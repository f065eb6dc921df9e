/* attention_tensor.cuh - causal attention by <mma.h>, for what architecture 70 and 75 have: tiles
 * of rows in shared memory, their products by 16 x 16 x 16 of fp16, and where the numbers of such a
 * product lie. A warp has 16 left rows (attention_blocks.cuh).
 *
 * CUDA does not say which lane holds which sum of a product. It is found out once a block
 * (kd_sum_places), after which sums are multiplied, masked and written where they are, not by way
 * of shared memory. */
#ifndef KD_KERNELS_CUDA_ATTENTION_TENSOR_CUH
#define KD_KERNELS_CUDA_ATTENTION_TENSOR_CUH

#include <mma.h>

#include "kernels/cuda/attention_blocks.cuh"
#include "kernels/cuda/attention_tensor.h"

static constexpr int KD_MMA = 16; /* rows, columns and depth of a product */
static constexpr int KD_TENSOR_ROWS = KD_TENSOR_WARPS * KD_MMA;

/* From architecture 80 on nobody launches these kernels (kd_attention_way), and they are a trap. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
static constexpr bool KD_NEEDS_MMA_H = false;
#else
static constexpr bool KD_NEEDS_MMA_H = true;
#endif

/* ---- rows in shared memory */

/* Rows begin 16 bytes further in the banks than the last, so that eight of them are read at
 * once. */
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

typedef float kd_place_table[KD_MMA * KD_MMA];

/* A table of its own indices, which a fragment then shows. All threads of the block, and a barrier
 * before it is read. */
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
        nvcuda::wmma::load_matrix_sync(a, left + k, PITCH);
        KD_UNROLL
        for (int j = 0; j < N; j++) {
            kd_right_factor<T, nvcuda::wmma::col_major> b;
            nvcuda::wmma::load_matrix_sync(b, right + j * KD_MMA * PITCH + k, PITCH);
            nvcuda::wmma::mma_sync(sums[j], a, b, sums[j]);
        }
    }
}

/* sums[j] += the warp's weights, 16 rows of TILE, times numbers 16 j and on of right's TILE
 * rows. */
template <int SIZE, int TILE, class T>
__device__ __forceinline__ void kd_add_weighted(const T *weights, int weights_pitch, const T *right,
                                                kd_tensor_sums (&sums)[SIZE / KD_MMA])
{
    constexpr int PITCH = KD_ROW_PITCH<SIZE>;
    KD_UNROLL
    for (int k = 0; k < TILE; k += KD_MMA) {
        kd_left_factor<T, nvcuda::wmma::row_major> a;
        nvcuda::wmma::load_matrix_sync(a, weights + k, weights_pitch);
        KD_UNROLL
        for (int j = 0; j < SIZE / KD_MMA; j++) {
            kd_right_factor<T, nvcuda::wmma::row_major> b;
            nvcuda::wmma::load_matrix_sync(b, right + k * PITCH + j * KD_MMA, PITCH);
            nvcuda::wmma::mma_sync(sums[j], a, b, sums[j]);
        }
    }
}

/* Writes the sums as rows first .. first + 15, as far as there are such, by way of 16 rows of
 * shared memory that nobody else uses: rows are written in groups of 16 bytes, and lanes hold
 * single numbers. */
template <int SIZE, class T>
__device__ __forceinline__ void
kd_write_rows(T *tile, const kd_tensor_sums (&sums)[SIZE / KD_MMA], const kd_sum_places &places,
              const kd_head_rows<T> &rows, int64_t first, int64_t length)
{
    constexpr int PITCH = KD_ROW_PITCH<SIZE>, GROUPS = SIZE / KD_GROUP<T>;
    KD_UNROLL
    for (int j = 0; j < SIZE / KD_MMA; j++) {
        T *to = tile + j * KD_MMA;
        KD_UNROLL
        for (int i = 0; i < KD_SUMS_EACH; i++)
            kd_put(&to[places.row(i) * PITCH + places.column(i)], sums[j].x[i]);
    }
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

#endif
