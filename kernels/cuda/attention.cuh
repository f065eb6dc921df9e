/* attention.cuh - what the passes of causal attention on the CUDA cores share: tiles of 32 rows of
 * one head, and the two products that they are made of, in fp32 whatever values are stored as.
 * No matrix of length x length is ever in memory.
 *
 * A block of eight warps works on 32 rows ("left": queries, or keys), four a warp, and walks over
 * tiles of 32 others ("right"), one a lane. Heads of more than 128 numbers are done in parts, of
 * which only one lies in shared memory; any size will do. */
#ifndef KD_KERNELS_CUDA_ATTENTION_CUH
#define KD_KERNELS_CUDA_ATTENTION_CUH

#include "kernels/cuda/attention_shape.cuh"
#include "kernels/cuda/reduce.cuh"

static constexpr int KD_HEAD_TILE = 32, KD_HEAD_WARPS = 8,
                     KD_HEAD_EACH = KD_HEAD_TILE / KD_HEAD_WARPS;
static constexpr int KD_PART = 128, KD_LANE_PARTS = KD_PART / KD_WARP;
/* Lanes that read the same column of their rows, four floats each, reach all banks. */
static constexpr int KD_HEAD_PITCH = KD_PART + 4;

/* Tiles of a head's rows, parts of a row, and which of them a block writes. */
static inline __host__ __device__ int64_t kd_head_n_tiles(const kd_attention_shape &shape)
{
    return (shape.length + KD_HEAD_TILE - 1) / KD_HEAD_TILE;
}

static inline __host__ __device__ int64_t kd_head_n_parts(const kd_attention_shape &shape)
{
    return (shape.size + KD_PART - 1) / KD_PART;
}

static inline int64_t kd_head_n_blocks(const kd_attention_shape &shape)
{
    return shape.n * shape.n_heads * kd_head_n_tiles(shape) * kd_head_n_parts(shape);
}

static __device__ __forceinline__ struct kd_attention_place
kd_head_place(const kd_attention_shape &shape)
{
    int64_t at = blockIdx.x;
    struct kd_attention_place place;
    place.part = at % kd_head_n_parts(shape) * KD_PART;
    at /= kd_head_n_parts(shape);
    place.first = at % kd_head_n_tiles(shape) * KD_HEAD_TILE;
    at /= kd_head_n_tiles(shape);
    place.head = at % shape.n_heads;
    place.sample = at / shape.n_heads;
    return place;
}

typedef float kd_head_tile[KD_HEAD_TILE][KD_HEAD_PITCH];
typedef float kd_head_weights[KD_HEAD_WARPS][KD_HEAD_TILE][KD_HEAD_EACH];

/* A block's shared memory. */
struct kd_head_tiles {
    kd_head_tile &left, &right;
    kd_head_weights &weights;
};

/* Declares a block's, as `name`. */
#define KD_HEAD_TILES(name)                                                                        \
    KD_SHARED(float, name##_left, [KD_HEAD_TILE][KD_HEAD_PITCH]);                                  \
    KD_SHARED(float, name##_right, [KD_HEAD_TILE][KD_HEAD_PITCH]);                                 \
    KD_SHARED(float, name##_weights, [KD_HEAD_WARPS][KD_HEAD_TILE][KD_HEAD_EACH]);                 \
    kd_head_tiles name = {name##_left, name##_right, name##_weights}

/* Numbers of a part, rounded up to groups of four, of which the last ones are zeros. */
static __device__ __forceinline__ int kd_padded(int64_t from, int64_t size)
{
    int64_t left = size - from;
    return left < KD_PART ? (int)((left + 3) / 4 * 4) : KD_PART;
}

/* tile[r][i] = number from + i of row first + r, zeros where there are no such. */
template <class T>
__device__ __forceinline__ void kd_load_tile(kd_head_tile &tile, const kd_head_rows<const T> &rows,
                                             int64_t first, int64_t from,
                                             const kd_attention_shape &shape)
{
    int warp = (int)threadIdx.x / KD_WARP, lane = (int)threadIdx.x % KD_WARP;
    int padded = kd_padded(from, shape.size);
    for (int r = warp; r < KD_HEAD_TILE; r += KD_HEAD_WARPS)
        for (int i = lane; i < padded; i += KD_WARP) {
            bool is_there = first + r < shape.length && from + i < shape.size;
            tile[r][i] = is_there ? kd_float(rows.x[(first + r) * rows.stride + from + i]) : 0.0f;
        }
}

/* products[q] = the product of left row left_first + 4 warp + q with right row right_first + lane.
 * All threads of the block. */
template <class T>
__device__ __forceinline__ void
kd_head_products(const kd_head_tiles &tiles, const kd_head_rows<const T> &left, int64_t left_first,
                 const kd_head_rows<const T> &right, int64_t right_first,
                 const kd_attention_shape &shape, float (&products)[KD_HEAD_EACH])
{
    int warp = (int)threadIdx.x / KD_WARP, lane = (int)threadIdx.x % KD_WARP;
    for (int q = 0; q < KD_HEAD_EACH; q++)
        products[q] = 0.0f;
    for (int64_t from = 0; from < shape.size; from += KD_PART) {
        __syncthreads(); /* what was in the tiles has been used */
        kd_load_tile(tiles.left, left, left_first, from, shape);
        kd_load_tile(tiles.right, right, right_first, from, shape);
        __syncthreads();
        for (int i = 0; i < kd_padded(from, shape.size); i += 4) {
            kd_floats<4> mine = kd_load<4>(&tiles.right[lane][i]);
            KD_UNROLL
            for (int q = 0; q < KD_HEAD_EACH; q++) {
                kd_floats<4> row = kd_load<4>(&tiles.left[warp * KD_HEAD_EACH + q][i]);
                products[q] += row.x[0] * mine.x[0] + row.x[1] * mine.x[1] + row.x[2] * mine.x[2] +
                               row.x[3] * mine.x[3];
            }
        }
    }
}

/* sums[q][e] += over the right rows, each a lane's: weights[q] of that lane times its number part +
 * 32 e + lane. All threads of the block. */
template <class T>
__device__ __forceinline__ void
kd_head_add(const kd_head_tiles &tiles, const float (&weights)[KD_HEAD_EACH],
            const kd_head_rows<const T> &right, int64_t right_first, int64_t part,
            const kd_attention_shape &shape, float (&sums)[KD_HEAD_EACH][KD_LANE_PARTS])
{
    int warp = (int)threadIdx.x / KD_WARP, lane = (int)threadIdx.x % KD_WARP;
    int padded = kd_padded(part, shape.size);
    __syncthreads(); /* what was in the tile has been used */
    kd_load_tile(tiles.right, right, right_first, part, shape);
    kd_store(tiles.weights[warp][lane],
             kd_floats<4>{{weights[0], weights[1], weights[2], weights[3]}});
    __syncthreads();
    for (int s = 0; s < KD_HEAD_TILE; s++) {
        kd_floats<4> of_row = kd_load<4>(tiles.weights[warp][s]);
        KD_UNROLL
        for (int e = 0; e < KD_LANE_PARTS; e++) {
            float x = lane + KD_WARP * e < padded ? tiles.right[s][lane + KD_WARP * e] : 0.0f;
            KD_UNROLL
            for (int q = 0; q < KD_HEAD_EACH; q++)
                sums[q][e] += of_row.x[q] * x;
        }
    }
}

/* Writes what was added up, times factor, as the part's numbers of the left rows. */
template <class T>
__device__ __forceinline__ void
kd_head_write(const kd_head_rows<T> &rows, const kd_attention_place &place,
              const kd_attention_shape &shape, const float (&sums)[KD_HEAD_EACH][KD_LANE_PARTS],
              const float (&factors)[KD_HEAD_EACH])
{
    int warp = (int)threadIdx.x / KD_WARP, lane = (int)threadIdx.x % KD_WARP;
    for (int q = 0; q < KD_HEAD_EACH; q++)
        for (int e = 0; e < KD_LANE_PARTS; e++) {
            int64_t t = place.first + warp * KD_HEAD_EACH + q;
            int64_t i = place.part + lane + KD_WARP * e;
            if (t < shape.length && i < shape.size)
                kd_put(&rows.x[t * rows.stride + i], sums[q][e] * factors[q]);
        }
}

#endif
