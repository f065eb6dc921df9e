/* attention_tensor.cu - causal attention forward by <mma.h>: a block for 64 queries of a head,
 * which keeps the greatest score and the sum of weights so far, and mends its sums when a greater
 * one comes, as attention.cu. Weights are fp32 until they are factors. */
#include "kernels/cuda/attention_tensor.cuh"

namespace
{

constexpr int TILE = 32; /* keys */
/* Eight lanes that read four floats each of as many rows reach all banks. */
constexpr int SCORES_PITCH = TILE + 4;

template <class T> struct arguments {
    const T *qkv;
    T *y;
    float *log_sum;
    kd_attention_shape shape;
};

/* Of one warp: scores become weights in place. */
template <class T> union weight_rows {
    float scores[KD_MMA][SCORES_PITCH];
    T rounded[KD_MMA][2 * SCORES_PITCH];
};

/* A block's shared memory. */
template <class T, int SIZE> struct tiles {
    alignas(32) kd_tensor_tile<T, SIZE, KD_TENSOR_ROWS> q;
    alignas(32) kd_tensor_tile<T, SIZE, TILE> k;
    alignas(32) kd_tensor_tile<T, SIZE, TILE> v;
    alignas(32) weight_rows<T> weights[KD_TENSOR_WARPS];
    alignas(32) kd_place_table places;
    float factors[KD_TENSOR_WARPS][KD_MMA]; /* of the warp's rows of y */

    /* That run at once on a multiprocessor: its registers are cut into as many, where its shared
     * memory is that large. */
    static constexpr int AT_ONCE = SIZE <= 64 ? 4 : 3;
};

/* A lane has half of a query's keys: the first or the second 16 of each tile. */
constexpr int HALF = TILE / 2;

/* Scores count as powers of two. */
struct row {
    int at, half;
    float max; /* of the query */
    float sum; /* of its half */
};

/* Scores become weights relative to the greatest so far; gives what earlier sums are to be
 * multiplied by. */
template <class T>
__device__ __forceinline__ float weigh(weight_rows<T> &weights, struct row &row, int64_t n_seen,
                                       float scale)
{
    int from = row.half * HALF;
    kd_floats<HALF> w = kd_load<HALF>(&weights.scores[row.at][from]);
    float max = -INFINITY, sum = 0.0f;
    KD_UNROLL
    for (int i = 0; i < HALF; i++) {
        w.x[i] = from + i < n_seen ? w.x[i] * scale : -INFINITY;
        max = kd_greater::of(max, w.x[i]);
    }
    max = kd_greater::of(max, __shfl_xor_sync(0xFFFFFFFFu, max, KD_WARP / 2));
    max = kd_greater::of(row.max, max);
    float fade = exp2f(row.max - max);
    KD_UNROLL
    for (int i = 0; i < HALF; i++) {
        w.x[i] = exp2f(w.x[i] - max);
        sum += w.x[i];
    }
    /* Over the scores, of which the other half's have been read: its max is known. */
    kd_store(&weights.rounded[row.at][from], w);
    row.max = max;
    row.sum = row.sum * fade + sum;
    return fade;
}

/* Sums times the factor of their row. All lanes of the warp. */
template <int N>
__device__ __forceinline__ void multiply_sums(kd_tensor_sums (&sums)[N], float (&factors)[KD_MMA],
                                              const kd_sum_places &places, const struct row &row,
                                              float factor)
{
    if (row.half == 0)
        factors[row.at] = factor;
    __syncwarp(); /* these, and weights */
    KD_UNROLL
    for (int i = 0; i < KD_SUMS_EACH; i++) {
        float of_row = factors[places.row(i)];
        KD_UNROLL
        for (int j = 0; j < N; j++)
            sums[j].x[i] *= of_row;
    }
}

/* What a warp sees of a tile of keys: scores, weights, and the weighted values added to sums. */
template <class T, int SIZE>
__device__ __forceinline__ void
attend_tile(tiles<T, SIZE> &tiles, kd_tensor_sums (&y)[SIZE / KD_MMA], const kd_sum_places &places,
            struct row &row, int64_t n_seen, float scale)
{
    int warp = kd_warp_at();
    weight_rows<T> &weights = tiles.weights[warp];
    kd_tensor_sums scores[TILE / KD_MMA];
    kd_multiply_rows<SIZE>(tiles.q[warp * KD_MMA], tiles.k[0], scores);
    KD_UNROLL
    for (int j = 0; j < TILE / KD_MMA; j++)
        nvcuda::wmma::store_matrix_sync(&weights.scores[0][j * KD_MMA], scores[j], SCORES_PITCH,
                                        nvcuda::wmma::mem_row_major);
    __syncwarp();
    float fade = weigh(weights, row, n_seen, scale);
    multiply_sums(y, tiles.factors[warp], places, row, fade);
    kd_add_weighted<SIZE, TILE>(weights.rounded[0], 2 * SCORES_PITCH, tiles.v[0], y);
}

template <class T, int SIZE> __device__ __forceinline__ void attend_rows(const arguments<T> &a)
{
    typedef tiles<T, SIZE> of_block;
    KD_DYN_SHARED(of_block, tiles);
    kd_attention_place place = kd_tensor_place(a.shape, KD_TENSOR_ROWS, true);
    kd_head_rows<const T> k = a.shape.of_qkv(a.qkv, place, 1), v = a.shape.of_qkv(a.qkv, place, 2);
    int64_t length = a.shape.length, first_query = place.first + kd_warp_at() * KD_MMA;
    struct row row = {kd_lane_at() % KD_MMA, kd_lane_at() / KD_MMA, -INFINITY, 0.0f};
    int64_t query = first_query + row.at;
    float scale = rsqrtf((float)SIZE) * KD_LOG2_E;
    kd_load_rows<T, SIZE, KD_TENSOR_ROWS>(tiles->q, a.shape.of_qkv(a.qkv, place, 0), place.first,
                                          length);
    kd_write_places(tiles->places);
    __syncthreads();
    kd_sum_places places(tiles->places);
    kd_tensor_sums y[SIZE / KD_MMA];
    kd_clear_sums(y);
    for (int64_t first = 0; first < kd_min(place.first + KD_TENSOR_ROWS, length); first += TILE) {
        kd_load_rows<T, SIZE, TILE>(tiles->k, k, first, length);
        kd_load_rows<T, SIZE, TILE>(tiles->v, v, first, length);
        __syncthreads();
        if (first < first_query + KD_MMA)
            attend_tile(*tiles, y, places, row, query - first + 1, scale);
        __syncthreads(); /* before others write the next tiles */
    }
    float sum = row.sum + __shfl_xor_sync(0xFFFFFFFFu, row.sum, KD_WARP / 2);
    multiply_sums(y, tiles->factors[kd_warp_at()], places, row, 1.0f / sum);
    if (row.half == 0 && query < length)
        a.log_sum[a.shape.row_at(place, query)] = (row.max + log2f(sum)) * KD_LN_2;
    kd_write_rows<SIZE>(tiles->q[kd_warp_at() * KD_MMA], y, places, a.shape.of_y(a.y, place),
                        first_query, length);
}

template <class T, int SIZE>
__global__ void __launch_bounds__(KD_TENSOR_THREADS, tiles<T, SIZE>::AT_ONCE) attend(arguments<T> a)
{
    if (KD_NEEDS_MMA_H)
        attend_rows<T, SIZE>(a);
    else
        __trap();
}

} // namespace

void kd_attention_tensor(struct kd_queue *queue, const struct kd_op_attention *a)
{
    arguments<__half> of_kernel = {
        (const __half *)a->qkv, (__half *)a->y, a->log_sum, {a->n, a->length, a->n_heads, a->size}};
    kd_by_head_size(a->size, [&]<int SIZE>() {
        auto kernel = attend<__half, SIZE>;
        constexpr size_t shared_bytes = sizeof(tiles<__half, SIZE>);
        static_assert(shared_bytes <= 48 * 1024, "what a block gets without asking");
        KD_LAUNCH(kernel, kd_tensor_blocks(of_kernel.shape, KD_TENSOR_ROWS), KD_TENSOR_THREADS,
                  shared_bytes, queue->stream, of_kernel);
    });
}
