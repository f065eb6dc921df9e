/* attention_backward_tensor.cu - the gradients of queries, keys and values by <mma.h>, in two
 * passes as attention_backward.cu. Both are one thing, whose left and right rows change places:
 *
 *     to queries           left q, dy, right k, v     dq += dscore k
 *     to keys and values   left k, v, right q, dy     dk += dscore^T q, dv += p^T dy
 *
 * In both, scores are the first left rows times the first right ones, and dp the second times the
 * second. */
#include "kernels/cuda/attention_tensor.cuh"

namespace
{

template <class T> struct arguments {
    const T *qkv, *dy;
    T *dqkv;
    const float *log_sum, *means;
    kd_attention_shape shape;
};

/* Rows of a tile, by the shared memory that is left. */
template <int SIZE> constexpr int TILE = SIZE <= 64 ? 32 : 16;
/* Rows begin 16 bytes further in the banks than the last where there is room. */
template <int SIZE> constexpr int WEIGHTS_PITCH = SIZE <= 64 ? TILE<SIZE> + 8 : TILE<SIZE>;

/* Of one warp: 16 left rows, a tile of right ones. */
template <class T, int SIZE> using weights = T[KD_MMA][WEIGHTS_PITCH<SIZE>];

/* Of a query, as its weights need them. */
struct query {
    float log_sum, mean; /* the log to base two */
};

/* A block's shared memory. */
template <class T, int SIZE> struct tiles {
    alignas(32) kd_tensor_tile<T, SIZE, KD_TENSOR_ROWS> left[2];
    alignas(32) kd_tensor_tile<T, SIZE, TILE<SIZE>> right[2];
    alignas(32) weights<T, SIZE> dscores[KD_TENSOR_WARPS];
    alignas(32) kd_place_table places;

    /* That run at once on a multiprocessor: its registers are cut into as many, where its shared
     * memory is that large. */
    static constexpr int AT_ONCE = SIZE <= 64 ? 3 : 2;
};

/* What only the pass to keys and values has besides. */
template <class T, int SIZE> struct more_tiles {
    tiles<T, SIZE> shared;
    alignas(32) weights<T, SIZE> p[KD_TENSOR_WARPS];
    query queries[TILE<SIZE>];
};

/* Zeros from the length on, where rows are zeros, too. */
template <class T>
__device__ __forceinline__ struct query query_of(const arguments<T> &a,
                                                 const kd_attention_place &place, int64_t t)
{
    if (t >= a.shape.length)
        return {0.0f, 0.0f};
    int64_t at = a.shape.row_at(place, t);
    return {a.log_sum[at] * KD_LOG2_E, a.means[at]};
}

/* The weight and the score's gradient of a query and a key, from their products. */
struct weight {
    float p, dscore;
};

template <int SIZE>
__device__ __forceinline__ struct weight weight_of(const struct query &query, bool is_seen,
                                                   float score, float dp)
{
    const float scale = rsqrtf((float)SIZE);
    float p = is_seen ? exp2f(score * (scale * KD_LOG2_E) - query.log_sum) : 0.0f;
    return {p, is_seen ? p * (dp - query.mean) * scale : 0.0f};
}

/* A warp's products of its left rows and the right tile. */
template <int SIZE> struct products {
    kd_tensor_sums scores[TILE<SIZE> / KD_MMA], dp[TILE<SIZE> / KD_MMA];

    template <class T> __device__ __forceinline__ explicit products(const tiles<T, SIZE> &tiles)
    {
        int row = kd_warp_at() * KD_MMA;
        kd_multiply_rows<SIZE>(tiles.left[0][row], tiles.right[0][0], scores);
        kd_multiply_rows<SIZE>(tiles.left[1][row], tiles.right[1][0], dp);
    }
};

/* Left rows of both kinds, and where sums stand. All threads of the block; there is a barrier at
 * the end. */
template <class T, int SIZE>
__device__ __forceinline__ kd_sum_places begin(tiles<T, SIZE> &tiles,
                                               const kd_head_rows<const T> &first_kind,
                                               const kd_head_rows<const T> &second_kind,
                                               int64_t first, int64_t length)
{
    kd_load_rows<T, SIZE, KD_TENSOR_ROWS>(tiles.left[0], first_kind, first, length);
    kd_load_rows<T, SIZE, KD_TENSOR_ROWS>(tiles.left[1], second_kind, first, length);
    kd_write_places(tiles.places);
    __syncthreads();
    return kd_sum_places(tiles.places);
}

/* ---- to queries */

template <class T, int SIZE>
__device__ __forceinline__ void
add_to_queries(tiles<T, SIZE> &tiles, const struct query (&queries)[KD_SUMS_EACH],
               const kd_sum_places &places, int64_t first_query, int64_t first_key,
               kd_tensor_sums (&dq)[SIZE / KD_MMA])
{
    weights<T, SIZE> &dscores = tiles.dscores[kd_warp_at()];
    products<SIZE> products(tiles);
    KD_UNROLL
    for (int at = 0; at < TILE<SIZE> / KD_MMA * KD_SUMS_EACH; at++) {
        int j = at / KD_SUMS_EACH, i = at % KD_SUMS_EACH;
        int row = places.row(i), column = j * KD_MMA + places.column(i);
        bool is_seen = first_key + column <= first_query + row;
        kd_put(&dscores[row][column],
               weight_of<SIZE>(queries[i], is_seen, products.scores[j].x[i], products.dp[j].x[i])
                   .dscore);
    }
    __syncwarp();
    kd_add_weighted<SIZE, TILE<SIZE>>(dscores[0], WEIGHTS_PITCH<SIZE>, tiles.right[0][0], dq);
}

/* A block for 64 queries: all keys up to them. */
template <class T, int SIZE> __device__ __forceinline__ void go_to_queries(const arguments<T> &a)
{
    typedef tiles<T, SIZE> of_block;
    KD_DYN_SHARED(of_block, tiles);
    kd_attention_place place = kd_tensor_place(a.shape, KD_TENSOR_ROWS, true);
    kd_head<T> head = a.shape.head(a.qkv, a.dy, place);
    int64_t length = a.shape.length, first_query = place.first + kd_warp_at() * KD_MMA;
    kd_sum_places places = begin(*tiles, head.q, head.dy, place.first, length);
    struct query queries[KD_SUMS_EACH];
    KD_UNROLL
    for (int i = 0; i < KD_SUMS_EACH; i++)
        queries[i] = query_of(a, place, first_query + places.row(i));
    kd_tensor_sums dq[SIZE / KD_MMA];
    kd_clear_sums(dq);
    int64_t end = kd_min(place.first + KD_TENSOR_ROWS, length);
    for (int64_t first = 0; first < end; first += TILE<SIZE>) {
        kd_load_rows<T, SIZE, TILE<SIZE>>(tiles->right[0], head.k, first, length);
        kd_load_rows<T, SIZE, TILE<SIZE>>(tiles->right[1], head.v, first, length);
        __syncthreads();
        if (first < first_query + KD_MMA)
            add_to_queries<T, SIZE>(*tiles, queries, places, first_query, first, dq);
        __syncthreads(); /* before others write the next tiles */
    }
    kd_write_rows<SIZE>(tiles->left[0][kd_warp_at() * KD_MMA], dq, places,
                        a.shape.of_qkv(a.dqkv, place, 0), first_query, length);
}

/* ---- to keys and values */

template <class T, int SIZE>
__device__ __forceinline__ void
add_to_keys_and_values(more_tiles<T, SIZE> &tiles, const kd_sum_places &places, int64_t first_query,
                       int64_t first_key, kd_tensor_sums (&dk)[SIZE / KD_MMA],
                       kd_tensor_sums (&dv)[SIZE / KD_MMA])
{
    weights<T, SIZE> &dscores = tiles.shared.dscores[kd_warp_at()], &p = tiles.p[kd_warp_at()];
    products<SIZE> products(tiles.shared);
    KD_UNROLL
    for (int at = 0; at < TILE<SIZE> / KD_MMA * KD_SUMS_EACH; at++) {
        int j = at / KD_SUMS_EACH, i = at % KD_SUMS_EACH;
        int row = places.row(i), column = j * KD_MMA + places.column(i);
        bool is_seen = first_key + row <= first_query + column;
        struct weight weight = weight_of<SIZE>(tiles.queries[column], is_seen,
                                               products.scores[j].x[i], products.dp[j].x[i]);
        kd_put(&p[row][column], weight.p);
        kd_put(&dscores[row][column], weight.dscore);
    }
    __syncwarp();
    kd_add_weighted<SIZE, TILE<SIZE>>(p[0], WEIGHTS_PITCH<SIZE>, tiles.shared.right[1][0], dv);
    kd_add_weighted<SIZE, TILE<SIZE>>(dscores[0], WEIGHTS_PITCH<SIZE>, tiles.shared.right[0][0],
                                      dk);
}

/* A block for 64 keys: all queries from them on. */
template <class T, int SIZE>
__device__ __forceinline__ void go_to_keys_and_values(const arguments<T> &a)
{
    typedef more_tiles<T, SIZE> of_block;
    KD_DYN_SHARED(of_block, tiles);
    kd_attention_place place = kd_tensor_place(a.shape, KD_TENSOR_ROWS, false);
    kd_head<T> head = a.shape.head(a.qkv, a.dy, place);
    int64_t length = a.shape.length, first_key = place.first + kd_warp_at() * KD_MMA;
    kd_sum_places places = begin(tiles->shared, head.k, head.v, place.first, length);
    kd_tensor_sums dk[SIZE / KD_MMA], dv[SIZE / KD_MMA];
    kd_clear_sums(dk);
    kd_clear_sums(dv);
    for (int64_t first = place.first; first < length; first += TILE<SIZE>) {
        kd_load_rows<T, SIZE, TILE<SIZE>>(tiles->shared.right[0], head.q, first, length);
        kd_load_rows<T, SIZE, TILE<SIZE>>(tiles->shared.right[1], head.dy, first, length);
        if ((int)threadIdx.x < TILE<SIZE>)
            tiles->queries[threadIdx.x] = query_of(a, place, first + threadIdx.x);
        __syncthreads();
        if (first_key < first + TILE<SIZE>)
            add_to_keys_and_values<T, SIZE>(*tiles, places, first, first_key, dk, dv);
        __syncthreads(); /* before others write the next tiles */
    }
    kd_write_rows<SIZE>(tiles->shared.left[0][kd_warp_at() * KD_MMA], dk, places,
                        a.shape.of_qkv(a.dqkv, place, 1), first_key, length);
    kd_write_rows<SIZE>(tiles->shared.left[1][kd_warp_at() * KD_MMA], dv, places,
                        a.shape.of_qkv(a.dqkv, place, 2), first_key, length);
}

template <class T, int SIZE>
__global__ void __launch_bounds__(KD_TENSOR_THREADS, tiles<T, SIZE>::AT_ONCE)
    to_queries(arguments<T> a)
{
    if (KD_NEEDS_MMA_H)
        go_to_queries<T, SIZE>(a);
    else
        __trap();
}

template <class T, int SIZE>
__global__ void __launch_bounds__(KD_TENSOR_THREADS, tiles<T, SIZE>::AT_ONCE)
    to_keys_and_values(arguments<T> a)
{
    if (KD_NEEDS_MMA_H)
        go_to_keys_and_values<T, SIZE>(a);
    else
        __trap();
}

} // namespace

void kd_attention_backward_tensor(struct kd_queue *queue, const struct kd_op_attention_backward *a,
                                  const float *means)
{
    arguments<__half> of_kernels = {(const __half *)a->qkv,
                                    (const __half *)a->dy,
                                    (__half *)a->dqkv,
                                    a->log_sum,
                                    means,
                                    {a->n, a->length, a->n_heads, a->size}};
    unsigned n_blocks = kd_tensor_blocks(of_kernels.shape, KD_TENSOR_ROWS);
    kd_by_head_size(a->size, [&]<int SIZE>() {
        auto first = to_queries<__half, SIZE>;
        auto second = to_keys_and_values<__half, SIZE>;
        using first_tiles = tiles<__half, SIZE>;
        using second_tiles = more_tiles<__half, SIZE>;
        static_assert(sizeof(second_tiles) <= 48 * 1024, "what a block gets without asking");
        KD_LAUNCH(first, n_blocks, KD_TENSOR_THREADS, sizeof(first_tiles), queue->stream,
                  of_kernels);
        KD_LAUNCH(second, n_blocks, KD_TENSOR_THREADS, sizeof(second_tiles), queue->stream,
                  of_kernels);
    });
}
