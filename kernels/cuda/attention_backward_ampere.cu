/* attention_backward_ampere.cu - the gradients of queries, keys and values with what architecture
 * 80 has, in two passes as attention_backward.cu. Both are one thing, whose left and right rows
 * change places:
 *
 *     to queries           left q, dy, right k, v     dq += dscore k
 *     to keys and values   left k, v, right q, dy     dk += dscore^T q, dv += p^T dy
 *
 * In both, scores are the first left rows times the first right ones, and dp the second times the
 * second; what they become stays in registers as the left factor of what is added. That costs a
 * second time the scores and dp, seven products instead of five, and needs neither atomics, whose
 * order would not be the same twice, nor a way through shared memory. */
#include "kernels/cuda/attention_ampere.cuh"
#include "kernels/cuda/attention_tensor.h"

namespace
{

template <class T> struct arguments {
    const T *qkv, *dy, *y;
    T *dqkv;
    const float *log_sum;
    float *means;
    kd_attention_shape shape;
};

/* By the registers that there are: 16-row parts of a warp, rows of a tile, those of them that are
 * scores at once, blocks that run at once on a multiprocessor. */
template <int SIZE> struct to_queries_layout {
    static constexpr int M = SIZE <= 64 ? 2 : 1, TILE = SIZE <= 64 ? 64 : 32, PART = 32;
    static constexpr int AT_ONCE = SIZE == 32 ? 3 : 2;
};

template <int SIZE> struct to_keys_layout {
    static constexpr int M = SIZE <= 64 ? 2 : 1, TILE = 32, PART = 16, AT_ONCE = 2;
};

template <class Layout> constexpr int WARP_ROWS = Layout::M *KD_DEPTH;
template <class Layout> constexpr int ROWS = WARP_ROWS<Layout> *KD_TENSOR_WARPS;

/* Of a query, as its weights need them. */
struct query {
    float log_sum, mean; /* the log to base two; the mean times the scores' scale */
};

template <int SIZE> __device__ __forceinline__ float scale_of_scores()
{
    return rsqrtf((float)SIZE);
}

/* A score becomes a weight, and dp the score's gradient. */
template <int SIZE>
__device__ __forceinline__ void weigh(float &score, float &dp, const struct query &query,
                                      bool is_seen)
{
    constexpr float unseen = 0.0f;
    const float scale = scale_of_scores<SIZE>();
    float p = kd_exp2(fmaf(score, scale * KD_LOG2_E, -query.log_sum));
    score = is_seen ? p : unseen;
    dp = is_seen ? p * fmaf(dp, scale, -query.mean) : unseen;
}

/* A warp's products of its left rows and some of the right ones. */
template <class Layout> struct products {
    kd_sums scores[Layout::M][Layout::PART / KD_WIDE], dp[Layout::M][Layout::PART / KD_WIDE];
};

template <class Layout, class T, int SIZE>
__device__ __forceinline__ products<Layout>
multiply(const kd_left_rows<SIZE, Layout::M> &first, const kd_left_rows<SIZE, Layout::M> &second,
         kd_right_tiles<T, SIZE, Layout::TILE> &tiles, int part)
{
    products<Layout> products = {};
    kd_multiply_rows(products.scores, first, tiles.first, part);
    kd_multiply_rows(products.dp, second, tiles.second, part);
    return products;
}

/* ---- to queries */

/* The product of a query's rows of dy and y, for all lanes that have it. */
template <class T, int SIZE, int M>
__device__ __forceinline__ float mean_of(const kd_left_rows<SIZE, M> &dy,
                                         const kd_left_rows<SIZE, M> &y, int m, int half)
{
    float sum = 0.0f;
    KD_UNROLL
    for (int at = 0; at < SIZE / KD_WIDE; at++) {
        int k = at / 2, i = half + at % 2 * 2;
        kd_floats<2> a = kd_unpack<T>(dy.at[m][k].x[i]), b = kd_unpack<T>(y.at[m][k].x[i]);
        sum += a.x[0] * b.x[0] + a.x[1] * b.x[1];
    }
    return kd_quad_reduce<kd_plus>(sum);
}

/* Rows that there are not have zeros, and nobody reads what becomes of them. */
template <int SIZE, class T>
__device__ __forceinline__ struct query query_of(const arguments<T> &a,
                                                 const kd_attention_place &place, int64_t t)
{
    if (t >= a.shape.length)
        return {0.0f, 0.0f};
    int64_t at = a.shape.row_at(place, t);
    return {a.log_sum[at] * KD_LOG2_E, a.means[at] * scale_of_scores<SIZE>()};
}

/* Of the rows that a lane has. Their means are written first, which the pass to keys and values
 * reads, too. */
template <class T, int SIZE, int M>
__device__ __forceinline__ void begin_queries(struct query (&queries)[M][2], const arguments<T> &a,
                                              const kd_attention_place &place,
                                              const kd_left_rows<SIZE, M> &dy, int64_t first_query)
{
    kd_left_rows<SIZE, M> y;
    kd_read_left(y, a.shape.of_y(a.y, place), first_query, a.shape.length);
    KD_UNROLL
    for (int at = 0; at < M * 2; at++) {
        int m = at / 2, half = at % 2;
        int64_t t = first_query + m * KD_DEPTH + kd_sum_row(half * 2);
        float mean = mean_of<T>(dy, y, m, half);
        if (t < a.shape.length)
            a.means[a.shape.row_at(place, t)] = mean; /* the same by four lanes */
        queries[m][half] = query_of<SIZE>(a, place, t);
    }
}

template <bool IS_MASKED, class T, int SIZE, class Layout = to_queries_layout<SIZE>>
__device__ __forceinline__ void
add_to_queries(kd_sums (&dq)[Layout::M][SIZE / KD_WIDE], const kd_left_rows<SIZE, Layout::M> &q,
               const kd_left_rows<SIZE, Layout::M> &dy,
               kd_right_tiles<T, SIZE, Layout::TILE> &tiles,
               const struct query (&queries)[Layout::M][2], int part, int lead)
{
    int limit = lead + kd_sum_row(0) - kd_sum_column(0);
    auto products = multiply<Layout>(q, dy, tiles, part);
    KD_UNROLL
    for (int at = 0; at < Layout::M * Layout::PART / KD_WIDE * 4; at++) {
        int m = at / 4 % Layout::M, j = at / 4 / Layout::M, i = at % 4;
        int ahead = j * KD_WIDE + i % 2 - m * KD_DEPTH - i / 2 * 8;
        weigh<SIZE>(products.scores[m][j].x[i], products.dp[m][j].x[i], queries[m][i / 2],
                    !IS_MASKED || ahead <= limit);
    }
    kd_add_weighted(dq, products.dp, tiles.first, part);
}

/* A block's queries: all keys up to them. */
template <class T, int SIZE> __device__ __forceinline__ void go_to_queries(const arguments<T> &a)
{
    using at = to_queries_layout<SIZE>;
    using of_block = kd_tile_stages<T, SIZE, at::TILE>;
    KD_DYN_SHARED(of_block, stages);
    kd_attention_place place = kd_tensor_place(a.shape, ROWS<at>, true);
    kd_head<T> head = a.shape.head(a.qkv, a.dy, place);
    int64_t length = a.shape.length, first_query = place.first + kd_warp_at() * WARP_ROWS<at>;
    auto walk = kd_begin_walk<T, SIZE, at::TILE>(
        *stages, head.k, head.v, {0, kd_min(place.first + ROWS<at>, length), length}, a.qkv);
    kd_left_rows<SIZE, at::M> q, dy;
    kd_read_left(q, head.q, first_query, length);
    kd_read_left(dy, head.dy, first_query, length);
    struct query queries[at::M][2];
    begin_queries(queries, a, place, dy, first_query);
    kd_sums dq[at::M][SIZE / KD_WIDE] = {};
    auto use_tile = [&](kd_right_tiles<T, SIZE, at::TILE> &tiles, int64_t first) {
        KD_UNROLL
        for (int part = 0; part < at::TILE; part += at::PART) {
            int lead = (int)(first_query - first) - part;
            if (lead >= at::PART - 1)
                add_to_queries<false>(dq, q, dy, tiles, queries, part, lead);
            else if (lead > -WARP_ROWS<at>)
                add_to_queries<true>(dq, q, dy, tiles, queries, part, lead);
        }
    };
    walk.go(use_tile);
    kd_write_sums<SIZE>(a.shape.of_qkv(a.dqkv, place, 0), first_query, length, dq);
}

/* ---- to keys and values */

template <class T, int SIZE, class Layout = to_keys_layout<SIZE>> struct of_keys {
    kd_left_rows<SIZE, Layout::M> k, v;
    kd_sums dk[Layout::M][SIZE / KD_WIDE], dv[Layout::M][SIZE / KD_WIDE];
};

/* A lane knows one query of the tile, and all ask each other. */
static __device__ __forceinline__ struct query query_at(const struct query &own, int at)
{
    return {__shfl_sync(0xFFFFFFFFu, own.log_sum, at), __shfl_sync(0xFFFFFFFFu, own.mean, at)};
}

template <bool IS_MASKED, class T, int SIZE, class Layout = to_keys_layout<SIZE>>
__device__ __forceinline__ void add_to_keys(struct of_keys<T, SIZE> &of,
                                            kd_right_tiles<T, SIZE, Layout::TILE> &tiles,
                                            const struct query &own, int part, int lead)
{
    int limit = lead + kd_sum_column(0) - kd_sum_row(0);
    auto products = multiply<Layout>(of.k, of.v, tiles, part);
    KD_UNROLL
    for (int at = 0; at < Layout::PART / KD_WIDE * 2; at++) {
        int j = at / 2, second = at % 2;
        struct query query = query_at(own, part + j * KD_WIDE + kd_sum_column(second));
        KD_UNROLL
        for (int r = 0; r < Layout::M * 2; r++) {
            int m = r / 2, i = r % 2 * 2 + second;
            int behind = m * KD_DEPTH + r % 2 * 8 - j * KD_WIDE - second;
            weigh<SIZE>(products.scores[m][j].x[i], products.dp[m][j].x[i], query,
                        !IS_MASKED || behind <= limit);
        }
    }
    kd_add_weighted(of.dv, products.scores, tiles.second, part);
    kd_add_weighted(of.dk, products.dp, tiles.first, part);
}

/* A block's keys: all queries from them on. */
template <class T, int SIZE>
__device__ __forceinline__ void go_to_keys_and_values(const arguments<T> &a)
{
    using at = to_keys_layout<SIZE>;
    static_assert(at::TILE == KD_WARP, "a lane for each query");
    using of_block = kd_tile_stages<T, SIZE, at::TILE>;
    KD_DYN_SHARED(of_block, stages);
    kd_attention_place place = kd_tensor_place(a.shape, ROWS<at>, false);
    kd_head<T> head = a.shape.head(a.qkv, a.dy, place);
    int64_t length = a.shape.length, first_key = place.first + kd_warp_at() * WARP_ROWS<at>;
    auto walk = kd_begin_walk<T, SIZE, at::TILE>(*stages, head.q, head.dy,
                                                 {place.first, length, length}, a.qkv);
    of_keys<T, SIZE> of = {};
    kd_read_left(of.k, head.k, first_key, length);
    kd_read_left(of.v, head.v, first_key, length);
    auto use_tile = [&](kd_right_tiles<T, SIZE, at::TILE> &tiles, int64_t first) {
        struct query own = query_of<SIZE>(a, place, first + kd_lane_at());
        KD_UNROLL
        for (int part = 0; part < at::TILE; part += at::PART) {
            int lead = (int)(first - first_key) + part;
            if (lead >= WARP_ROWS<at> - 1)
                add_to_keys<false>(of, tiles, own, part, lead);
            else if (lead > -at::PART)
                add_to_keys<true>(of, tiles, own, part, lead);
        }
    };
    walk.go(use_tile);
    kd_write_sums<SIZE>(a.shape.of_qkv(a.dqkv, place, 1), first_key, length, of.dk);
    kd_write_sums<SIZE>(a.shape.of_qkv(a.dqkv, place, 2), first_key, length, of.dv);
}

template <class T, int SIZE>
__global__ void __launch_bounds__(KD_TENSOR_THREADS, to_queries_layout<SIZE>::AT_ONCE)
    to_queries(arguments<T> a)
{
    if (KD_HAS_AMPERE)
        go_to_queries<T, SIZE>(a);
    else
        __trap();
}

template <class T, int SIZE>
__global__ void __launch_bounds__(KD_TENSOR_THREADS, to_keys_layout<SIZE>::AT_ONCE)
    to_keys_and_values(arguments<T> a)
{
    if (KD_HAS_AMPERE)
        go_to_keys_and_values<T, SIZE>(a);
    else
        __trap();
}

template <class T, int SIZE> void launch(struct kd_queue *queue, const arguments<T> &a)
{
    using of_queries = to_queries_layout<SIZE>;
    using of_keys = to_keys_layout<SIZE>;
    auto first = to_queries<T, SIZE>;
    auto second = to_keys_and_values<T, SIZE>;
    constexpr size_t first_bytes = sizeof(kd_tile_stages<T, SIZE, of_queries::TILE>);
    constexpr size_t second_bytes = sizeof(kd_tile_stages<T, SIZE, of_keys::TILE>);
    static_assert(first_bytes <= 48 * 1024 && second_bytes <= 48 * 1024,
                  "what a block gets without asking");
    KD_LAUNCH(first, kd_tensor_blocks(a.shape, ROWS<of_queries>), KD_TENSOR_THREADS, first_bytes,
              queue->stream, a);
    KD_LAUNCH(second, kd_tensor_blocks(a.shape, ROWS<of_keys>), KD_TENSOR_THREADS, second_bytes,
              queue->stream, a);
}

template <class T>
void launch_by_size(struct kd_queue *queue, const struct kd_op_attention_backward *a, float *means)
{
    arguments<T> of_kernels = {(const T *)a->qkv,
                               (const T *)a->dy,
                               (const T *)a->y,
                               (T *)a->dqkv,
                               a->log_sum,
                               means,
                               {a->n, a->length, a->n_heads, a->size}};
    kd_by_head_size(a->size, [&]<int SIZE>() { launch<T, SIZE>(queue, of_kernels); });
}

} // namespace

void kd_attention_backward_ampere(struct kd_queue *queue, const struct kd_op_attention_backward *a,
                                  float *means)
{
    if (queue->precision == KD_PRECISION_BF16)
        launch_by_size<__nv_bfloat16>(queue, a, means);
    else
        launch_by_size<__half>(queue, a, means);
}
