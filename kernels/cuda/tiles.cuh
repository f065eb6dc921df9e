/* tiles.cuh - products in fp32 of anything that can be asked for its elements: tiles of 64 x 64
 * results, of which each thread keeps 4 x 4 in registers.
 *
 *     result(i, j) = sum over k of left(i, k) right(j, k)
 *
 * A side is a struct with
 *     static constexpr bool BY_K                                     what lies together: neighbours in i or j (true), or in k
 *     __device__ float at(int64_t i, int64_t k) const                called inside its bounds only
 * and what becomes of a result one with
 *     __device__ void put(int64_t part, int64_t i, int64_t j, float sum) const
 * A long sum may be cut into parts, whose sums are put one by one and in any order. Within a part
 * it is the sum of sums of 256, as rounding errors grow with the length.
 *
 * On the CUDA cores alone. */
#ifndef KD_KERNELS_CUDA_TILES_CUH
#define KD_KERNELS_CUDA_TILES_CUH

#include "kernels/cuda/map.cuh"

static constexpr int KD_TILE = 64, KD_TILE_DEPTH = 16, KD_TILE_EACH = 4,
                     KD_TILE_SIDE = KD_TILE / KD_TILE_EACH;
/* Rows of a tile begin at other banks, and still at multiples of 16 bytes. */
static constexpr int KD_TILE_PITCH = KD_TILE + 4;
static constexpr int KD_TILE_SUM = 256; /* of k: a multiple of the depth */

struct kd_tiles {
    int64_t m, n, k, k_of_part;
};

/* tile[k][i], 0 outside; neighbouring threads read what lies together. */
template <class Side>
__device__ __forceinline__ void
kd_read_tile(const Side &side, float (&tile)[KD_TILE_DEPTH][KD_TILE_PITCH], int64_t from_i,
             int64_t n, int64_t from_k, int64_t to_k)
{
    for (int e = (int)threadIdx.x; e < KD_TILE * KD_TILE_DEPTH; e += KD_THREADS) {
        int i = Side::BY_K ? e % KD_TILE : e / KD_TILE_DEPTH;
        int k = Side::BY_K ? e / KD_TILE : e % KD_TILE_DEPTH;
        bool is_inside = from_i + i < n && from_k + k < to_k;
        tile[k][i] = is_inside ? side.at(from_i + i, from_k + k) : 0.0f;
    }
}

static __device__ __forceinline__ void
kd_multiply_tile(const float (&a)[KD_TILE_DEPTH][KD_TILE_PITCH],
                 const float (&b)[KD_TILE_DEPTH][KD_TILE_PITCH], int row, int column,
                 float (&sums)[KD_TILE_EACH][KD_TILE_EACH])
{
    KD_UNROLL
    for (int k = 0; k < KD_TILE_DEPTH; k++) {
        kd_floats<4> left = kd_load<4>(&a[k][row]), right = kd_load<4>(&b[k][column]);
        KD_UNROLL
        for (int at = 0; at < KD_TILE_EACH * KD_TILE_EACH; at++)
            sums[at / KD_TILE_EACH][at % KD_TILE_EACH] +=
                left.x[at / KD_TILE_EACH] * right.x[at % KD_TILE_EACH];
    }
}

/* To the totals; the sums begin anew. */
static __device__ __forceinline__ void kd_move_sums(float (&sums)[KD_TILE_EACH][KD_TILE_EACH],
                                                    float (&totals)[KD_TILE_EACH][KD_TILE_EACH])
{
    KD_UNROLL
    for (int at = 0; at < KD_TILE_EACH * KD_TILE_EACH; at++) {
        totals[at / KD_TILE_EACH][at % KD_TILE_EACH] += sums[at / KD_TILE_EACH][at % KD_TILE_EACH];
        sums[at / KD_TILE_EACH][at % KD_TILE_EACH] = 0.0f;
    }
}

template <class Left, class Right, class After>
__global__ void __launch_bounds__(KD_THREADS)
    kd_product_kernel(Left of_rows, Right of_columns, kd_tiles s, After after)
{
    KD_SHARED(float, left, [KD_TILE_DEPTH][KD_TILE_PITCH]);
    KD_SHARED(float, right, [KD_TILE_DEPTH][KD_TILE_PITCH]);
    int64_t across = (s.n + KD_TILE - 1) / KD_TILE, part = blockIdx.y;
    int64_t from_i = blockIdx.x / across * KD_TILE, from_j = blockIdx.x % across * KD_TILE;
    int64_t from_k = part * s.k_of_part, to_k = from_k + s.k_of_part;
    int row = (int)threadIdx.x / KD_TILE_SIDE * KD_TILE_EACH;
    int column = (int)threadIdx.x % KD_TILE_SIDE * KD_TILE_EACH;
    float sums[KD_TILE_EACH][KD_TILE_EACH] = {}, totals[KD_TILE_EACH][KD_TILE_EACH] = {};
    to_k = to_k < s.k ? to_k : s.k;
    for (int64_t k = from_k; k < to_k; k += KD_TILE_DEPTH) {
        if ((k - from_k) % KD_TILE_SUM == 0)
            kd_move_sums(sums, totals);
        kd_read_tile(of_rows, left, from_i, s.m, k, to_k);
        kd_read_tile(of_columns, right, from_j, s.n, k, to_k);
        __syncthreads();
        kd_multiply_tile(left, right, row, column, sums);
        __syncthreads(); /* before others write the next tiles */
    }
    for (int i = 0; i < KD_TILE_EACH; i++)
        for (int j = 0; j < KD_TILE_EACH; j++) {
            int64_t at_i = from_i + row + i, at_j = from_j + column + j;
            if (at_i < s.m && at_j < s.n)
                after.put(part, at_i, at_j, totals[i][j] + sums[i][j]);
        }
}

static inline int64_t kd_n_tiles(int64_t m, int64_t n)
{
    return (m + KD_TILE - 1) / KD_TILE * ((n + KD_TILE - 1) / KD_TILE);
}

/* Nothing is put where m or n is 0; where k is, zeros are. */
template <class Left, class Right, class After>
void kd_product(struct kd_queue *queue, const Left &left, const Right &right, int64_t m, int64_t n,
                int64_t k, int64_t n_parts, const After &after)
{
    if (m <= 0 || n <= 0)
        return;
    auto kernel = kd_product_kernel<Left, Right, After>;
    kd_tiles s = {m, n, k, (k + n_parts - 1) / n_parts};
    KD_LAUNCH(kernel, dim3((unsigned)kd_n_tiles(m, n), (unsigned)n_parts), KD_THREADS, 0,
              queue->stream, left, right, s, after);
}

#endif
