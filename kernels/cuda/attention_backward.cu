/* attention_backward.cu - the gradients of queries, keys and values. The weights are made anew from
 * log_sum, once for the queries' gradients and once for those of keys and values, so that each
 * number is added up by one block, in one order.
 *
 * With p the weights, dp = dy v^T and mean[t] = sum over s of p dp = dy[t] y[t]: dscore = p (dp -
 * mean) / sqrt(size); dq = dscore k, dk = dscore^T q, dv = p^T dy. */
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/attention_tensor.h"

namespace
{

struct backward {
    struct kd_op_attention_backward a;
    kd_attention_shape shape;
    float *means; /* [n][n_heads][length] */
};

/* A warp for each row. */
template <class T> __global__ void multiply_rows(struct backward b)
{
    const kd_attention_shape &shape = b.shape;
    int64_t row = (int64_t)blockIdx.x * (KD_THREADS / KD_WARP) + threadIdx.x / KD_WARP;
    int lane = (int)threadIdx.x % KD_WARP;
    if (row >= shape.n * shape.length * shape.n_heads)
        return; /* the whole warp */
    const T *dy = (const T *)b.a.dy + row * shape.size, *y = (const T *)b.a.y + row * shape.size;
    float sum = 0.0f;
    for (int64_t i = lane; i < shape.size; i += KD_WARP)
        sum += kd_float(dy[i]) * kd_float(y[i]);
    sum = kd_warp_sum(sum);
    int64_t head = row % shape.n_heads, t = row / shape.n_heads % shape.length;
    int64_t sample = row / shape.n_heads / shape.length;
    if (lane == 0)
        b.means[(sample * shape.n_heads + head) * shape.length + t] = sum;
}

/* The weight and the score's gradient of a query and a key, from their products. */
struct weight {
    float p, dscore;
};

__device__ __forceinline__ struct weight weight_of(const struct backward &b,
                                                   const kd_attention_place &place, int64_t query,
                                                   int64_t key, float score, float dp)
{
    struct weight weight = {0.0f, 0.0f};
    if (query < b.shape.length && key <= query) {
        float scale = rsqrtf((float)b.shape.size);
        int64_t at = b.shape.row_at(place, query);
        weight.p = expf(score * scale - b.a.log_sum[at]);
        weight.dscore = weight.p * (dp - b.means[at]) * scale;
    }
    return weight;
}

template <class T>
__device__ __forceinline__ void write(const struct backward &b, const kd_attention_place &place,
                                      int kind, const float (&sums)[KD_HEAD_EACH][KD_LANE_PARTS])
{
    const float as_they_are[KD_HEAD_EACH] = {1.0f, 1.0f, 1.0f, 1.0f};
    kd_head_write(b.shape.of_qkv((T *)b.a.dqkv, place, kind), place, b.shape, sums, as_they_are);
}

/* A block for 32 queries: all keys up to them. */
template <class T> __global__ void __launch_bounds__(KD_THREADS) to_queries(struct backward b)
{
    KD_HEAD_TILES(tiles);
    const kd_attention_shape &shape = b.shape;
    kd_attention_place place = kd_head_place(shape);
    kd_head<T> head = shape.head((const T *)b.a.qkv, (const T *)b.a.dy, place);
    int warp = (int)threadIdx.x / KD_WARP, lane = (int)threadIdx.x % KD_WARP;
    float dq[KD_HEAD_EACH][KD_LANE_PARTS] = {};
    for (int64_t first = 0; first <= place.first; first += KD_HEAD_TILE) {
        float scores[KD_HEAD_EACH], dp[KD_HEAD_EACH];
        kd_head_products(tiles, head.q, place.first, head.k, first, shape, scores);
        kd_head_products(tiles, head.dy, place.first, head.v, first, shape, dp);
        for (int i = 0; i < KD_HEAD_EACH; i++)
            scores[i] = weight_of(b, place, place.first + warp * KD_HEAD_EACH + i, first + lane,
                                  scores[i], dp[i])
                            .dscore;
        kd_head_add(tiles, scores, head.k, first, place.part, shape, dq);
    }
    write<T>(b, place, 0, dq);
}

/* A block for 32 keys: all queries from them on. */
template <class T>
__global__ void __launch_bounds__(KD_THREADS) to_keys_and_values(struct backward b)
{
    KD_HEAD_TILES(tiles);
    const kd_attention_shape &shape = b.shape;
    kd_attention_place place = kd_head_place(shape);
    kd_head<T> head = shape.head((const T *)b.a.qkv, (const T *)b.a.dy, place);
    int warp = (int)threadIdx.x / KD_WARP, lane = (int)threadIdx.x % KD_WARP;
    float dk[KD_HEAD_EACH][KD_LANE_PARTS] = {}, dv[KD_HEAD_EACH][KD_LANE_PARTS] = {};
    for (int64_t first = place.first; first < shape.length; first += KD_HEAD_TILE) {
        float p[KD_HEAD_EACH], dscore[KD_HEAD_EACH];
        kd_head_products(tiles, head.k, place.first, head.q, first, shape, p);
        kd_head_products(tiles, head.v, place.first, head.dy, first, shape, dscore);
        for (int i = 0; i < KD_HEAD_EACH; i++) {
            struct weight weight = weight_of(
                b, place, first + lane, place.first + warp * KD_HEAD_EACH + i, p[i], dscore[i]);
            p[i] = weight.p;
            dscore[i] = weight.dscore;
        }
        kd_head_add(tiles, p, head.dy, first, place.part, shape, dv);
        kd_head_add(tiles, dscore, head.q, first, place.part, shape, dk);
    }
    write<T>(b, place, 1, dk);
    write<T>(b, place, 2, dv);
}

void launch_means(struct kd_queue *queue, const struct backward &b)
{
    int64_t n_rows = b.shape.n * b.shape.length * b.shape.n_heads, each = KD_THREADS / KD_WARP;
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = multiply_rows<decltype(stored)>;
        KD_LAUNCH(kernel, (unsigned)((n_rows + each - 1) / each), KD_THREADS, 0, queue->stream, b);
    });
}

void launch(struct kd_queue *queue, const struct backward &b)
{
    unsigned n_blocks = (unsigned)kd_head_n_blocks(b.shape);
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        auto first = to_queries<T>, second = to_keys_and_values<T>;
        KD_LAUNCH(first, n_blocks, KD_THREADS, 0, queue->stream, b);
        KD_LAUNCH(second, n_blocks, KD_THREADS, 0, queue->stream, b);
    });
}

} // namespace

void kd_cuda_attention_backward(struct kd_queue *queue, const struct kd_op_attention_backward *a)
{
    size_t n_rows = (size_t)(a->n * a->length * a->n_heads);
    if (n_rows * (size_t)a->size == 0)
        return;
    float *means = (float *)kd_cuda_scratch(queue, n_rows * sizeof(float));
    struct backward b = {*a, {a->n, a->length, a->n_heads, a->size}, means};
    switch (kd_attention_way(queue, a->size, kd_all_aligned(a->qkv, a->dy, a->y, a->dqkv))) {
    case KD_ATTENTION_AMPERE:
        return kd_attention_backward_ampere(queue, a, means);
    case KD_ATTENTION_TENSOR:
        launch_means(queue, b);
        return kd_attention_backward_tensor(queue, a, means);
    default:
        launch_means(queue, b);
        return launch(queue, b);
    }
}
