/* attention.cu - causal attention forward: a block for 32 queries of a head, which keeps the
 * greatest score and the sum of weights so far, and mends its sums when a greater one comes
 * (Milakov, Gimelshein: "Online normalizer calculation for softmax", 2018). */
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/attention_tensor.h"

namespace
{

/* Of a warp's queries so far. A lane's sum is of its own keys. */
struct state {
    float max[KD_HEAD_EACH], sum[KD_HEAD_EACH];
    float values[KD_HEAD_EACH][KD_LANE_PARTS];
};

/* Scores become weights, relative to the greatest score so far. */
__device__ __forceinline__ void weigh(struct state &state, float (&scores)[KD_HEAD_EACH],
                                      int64_t first_query, int64_t key, float scale)
{
    for (int q = 0; q < KD_HEAD_EACH; q++) {
        bool is_seen = key <= first_query + q;
        float score = is_seen ? scores[q] * scale : -INFINITY;
        float max = kd_greater::of(state.max[q], kd_warp_max(score));
        float fade = expf(state.max[q] - max);
        scores[q] = is_seen ? expf(score - max) : 0.0f;
        state.max[q] = max;
        state.sum[q] = state.sum[q] * fade + scores[q];
        for (int e = 0; e < KD_LANE_PARTS; e++)
            state.values[q][e] *= fade;
    }
}

template <class T>
__global__ void __launch_bounds__(KD_THREADS)
    attend(struct kd_op_attention a, kd_attention_shape shape)
{
    KD_HEAD_TILES(tiles);
    kd_attention_place place = kd_head_place(shape);
    const T *qkv = (const T *)a.qkv;
    kd_head_rows<const T> q = shape.of_qkv(qkv, place, 0), k = shape.of_qkv(qkv, place, 1),
                          v = shape.of_qkv(qkv, place, 2);
    int warp = (int)threadIdx.x / KD_WARP, lane = (int)threadIdx.x % KD_WARP;
    int64_t query = place.first + warp * KD_HEAD_EACH;
    float scale = rsqrtf((float)shape.size), factors[KD_HEAD_EACH];
    struct state state = {};
    for (int i = 0; i < KD_HEAD_EACH; i++)
        state.max[i] = -INFINITY;
    for (int64_t first = 0; first <= place.first; first += KD_HEAD_TILE) {
        float scores[KD_HEAD_EACH];
        kd_head_products(tiles, q, place.first, k, first, shape, scores);
        weigh(state, scores, query, first + lane, scale);
        kd_head_add(tiles, scores, v, first, place.part, shape, state.values);
    }
    for (int i = 0; i < KD_HEAD_EACH; i++) {
        float sum = kd_warp_sum(state.sum[i]);
        factors[i] = 1.0f / sum;
        if (lane == 0 && place.part == 0 && query + i < shape.length)
            a.log_sum[shape.row_at(place, query + i)] = state.max[i] + logf(sum);
    }
    kd_head_write(shape.of_y((T *)a.y, place), place, shape, state.values, factors);
}

void launch(struct kd_queue *queue, const struct kd_op_attention &a)
{
    kd_attention_shape shape = {a.n, a.length, a.n_heads, a.size};
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = attend<decltype(stored)>;
        KD_LAUNCH(kernel, (unsigned)kd_head_n_blocks(shape), KD_THREADS, 0, queue->stream, a,
                  shape);
    });
}

} // namespace

void kd_cuda_attention(struct kd_queue *queue, const struct kd_op_attention *a)
{
    if (a->n * a->length * a->n_heads * a->size == 0)
        return;
    switch (kd_attention_way(queue, a->size, kd_all_aligned(a->qkv, a->y))) {
    case KD_ATTENTION_AMPERE:
        return kd_attention_ampere(queue, a);
    case KD_ATTENTION_TENSOR:
        return kd_attention_tensor(queue, a);
    default:
        return launch(queue, *a);
    }
}
