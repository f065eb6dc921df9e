/* attention_ampere.cu - causal attention forward with what architecture 80 has: scores, softmax and
 * weights in registers.
 *
 * Weights are relative to a number near the greatest score so far, a base, and sums are mended when
 * a row's base changes. That is where a score exceeds it by more than GROWTH alone: weights below
 * 2^GROWTH lose nothing, neither as floats nor rounded to 16 bits, and after the first tile hardly
 * any score does. The result is the same, since both sums are relative to the same base (the idea:
 * Milakov, Gimelshein: "Online normalizer calculation for softmax", 2018). */
#include "kernels/cuda/attention_ampere.cuh"
#include "kernels/cuda/attention_tensor.h"

namespace
{

template <class T> struct arguments {
    const T *qkv;
    T *y;
    float *log_sum;
    kd_attention_shape shape;
};

/* By the registers that there are: 16-row parts of a warp, keys of a tile, keys that are scores at
 * once, blocks that run at once on a multiprocessor. */
template <int SIZE> struct layout {
    static constexpr int M = 2, TILE = SIZE <= 64 ? 64 : 32;
    static constexpr int PART = SIZE == 32 ? 32 : SIZE == 64 ? 64 : 16;
    static constexpr int AT_ONCE = SIZE == 32 ? 3 : 2;
    static constexpr int WARP_ROWS = M * KD_DEPTH, ROWS = WARP_ROWS * KD_TENSOR_WARPS;
};

constexpr float GROWTH = 8.0f;

/* Of a lane's rows: scores count as powers of two, and a sum is of the lane's own keys. */
template <int SIZE> struct of_queries {
    float base[layout<SIZE>::M][2], sum[layout<SIZE>::M][2];
    kd_sums y[layout<SIZE>::M][SIZE / KD_WIDE];
};

template <int SIZE> constexpr int N_WIDE = layout<SIZE>::PART / KD_WIDE;
template <int SIZE> using scores = kd_sums[layout<SIZE>::M][N_WIDE<SIZE>];

/* Scores of keys that a query does not see become -INFINITY. `lead`: the warp's first query less
 * the part's first key. */
template <int SIZE> __device__ __forceinline__ void mask(scores<SIZE> &scores, int lead)
{
    int limit = lead + kd_sum_row(0) - kd_sum_column(0);
    KD_UNROLL
    for (int at = 0; at < layout<SIZE>::M * N_WIDE<SIZE> * 4; at++) {
        int m = at / 4 / N_WIDE<SIZE>, j = at / 4 % N_WIDE<SIZE>, i = at % 4;
        if (j * KD_WIDE + i % 2 - m * KD_DEPTH - i / 2 * 8 > limit)
            scores[m][j].x[i] = -INFINITY;
    }
}

/* Of a lane's own keys. */
template <int SIZE>
__device__ __forceinline__ float greatest_of(const scores<SIZE> &scores, int m, int half)
{
    float greatest = -INFINITY;
    KD_UNROLL
    for (int j = 0; j < N_WIDE<SIZE>; j++)
        greatest = fmaxf(greatest, fmaxf(scores[m][j].x[2 * half], scores[m][j].x[2 * half + 1]));
    return greatest;
}

/* A row's sums, relative to its base, become relative to a greater one. */
template <int SIZE>
__device__ __forceinline__ void mend(struct of_queries<SIZE> &of, int m, int half, float greatest)
{
    float base = fmaxf(of.base[m][half], kd_quad_reduce<kd_greater>(greatest));
    float fade = kd_exp2(of.base[m][half] - base);
    of.base[m][half] = base;
    of.sum[m][half] *= fade;
    KD_UNROLL
    for (int j = 0; j < SIZE / KD_WIDE; j++) {
        of.y[m][j].x[2 * half] *= fade;
        of.y[m][j].x[2 * half + 1] *= fade;
    }
}

/* All lanes of the warp, as the votes and what they decide are the warp's. */
template <int SIZE>
__device__ __forceinline__ void keep_up(struct of_queries<SIZE> &of, const scores<SIZE> &scores,
                                        float scale)
{
    constexpr int M = layout<SIZE>::M;
    float greatest[M][2];
    bool grows = false;
    KD_UNROLL
    for (int at = 0; at < M * 2; at++) {
        int m = at / 2, half = at % 2;
        greatest[m][half] = greatest_of<SIZE>(scores, m, half) * scale;
        grows = grows || greatest[m][half] > of.base[m][half] + GROWTH;
    }
    if (!__any_sync(0xFFFFFFFFu, grows))
        return;
    KD_UNROLL
    for (int at = 0; at < M * 2; at++)
        mend(of, at / 2, at % 2, greatest[at / 2][at % 2]);
}

/* Scores become weights. */
template <int SIZE>
__device__ __forceinline__ void weigh(struct of_queries<SIZE> &of, scores<SIZE> &scores,
                                      float scale)
{
    KD_UNROLL
    for (int at = 0; at < layout<SIZE>::M * N_WIDE<SIZE> * 4; at++) {
        int m = at / 4 / N_WIDE<SIZE>, j = at / 4 % N_WIDE<SIZE>, i = at % 4;
        float &x = scores[m][j].x[i];
        x = kd_exp2(fmaf(x, scale, -of.base[m][i / 2]));
        of.sum[m][i / 2] += x;
    }
}

template <bool IS_MASKED, class T, int SIZE>
__device__ __forceinline__ void
attend_part(struct of_queries<SIZE> &of, const kd_left_rows<SIZE, layout<SIZE>::M> &q,
            kd_right_tiles<T, SIZE, layout<SIZE>::TILE> &tiles, int part, int lead)
{
    const float scale = rsqrtf((float)SIZE) * KD_LOG2_E;
    scores<SIZE> scores = {};
    kd_multiply_rows(scores, q, tiles.first, part);
    if (IS_MASKED)
        mask<SIZE>(scores, lead);
    keep_up<SIZE>(of, scores, scale);
    weigh<SIZE>(of, scores, scale);
    kd_add_weighted(of.y, scores, tiles.second, part);
}

template <class T, int SIZE>
__device__ __forceinline__ void write(const arguments<T> &a, const kd_attention_place &place,
                                      struct of_queries<SIZE> &of, int64_t first_query)
{
    constexpr int M = layout<SIZE>::M;
    float factors[M][2];
    KD_UNROLL
    for (int at = 0; at < M * 2; at++) {
        int m = at / 2, half = at % 2;
        int64_t query = first_query + m * KD_DEPTH + kd_sum_row(2 * half);
        float sum = kd_quad_reduce<kd_plus>(of.sum[m][half]);
        factors[m][half] = 1.0f / sum;
        if (kd_lane_at() % KD_QUAD == 0 && query < a.shape.length)
            a.log_sum[a.shape.row_at(place, query)] = (of.base[m][half] + log2f(sum)) * KD_LN_2;
    }
    kd_write_sums<SIZE>(a.shape.of_y(a.y, place), first_query, a.shape.length, of.y, factors);
}

/* A block's queries; keys up to them. */
template <class T, int SIZE> __device__ __forceinline__ void attend_rows(const arguments<T> &a)
{
    using at = layout<SIZE>;
    using of_block = kd_tile_stages<T, SIZE, at::TILE>;
    KD_DYN_SHARED(of_block, stages);
    kd_attention_place place = kd_tensor_place(a.shape, at::ROWS, true);
    kd_head_rows<const T> k = a.shape.of_qkv(a.qkv, place, 1), v = a.shape.of_qkv(a.qkv, place, 2);
    int64_t length = a.shape.length, first_query = place.first + kd_warp_at() * at::WARP_ROWS;
    auto walk = kd_begin_walk<T, SIZE, at::TILE>(
        *stages, k, v, {0, kd_min(place.first + at::ROWS, length), length}, a.qkv);
    kd_left_rows<SIZE, at::M> q;
    kd_read_left(q, a.shape.of_qkv(a.qkv, place, 0), first_query, length);
    of_queries<SIZE> of = {};
    KD_UNROLL
    for (int i = 0; i < at::M * 2; i++)
        of.base[i / 2][i % 2] = -INFINITY;
    auto attend_tile = [&](kd_right_tiles<T, SIZE, at::TILE> &tiles, int64_t first) {
        KD_UNROLL
        for (int part = 0; part < at::TILE; part += at::PART) {
            int lead = (int)(first_query - first) - part;
            if (lead >= at::PART - 1)
                attend_part<false>(of, q, tiles, part, lead);
            else if (lead > -at::WARP_ROWS)
                attend_part<true>(of, q, tiles, part, lead);
        }
    };
    walk.go(attend_tile);
    write(a, place, of, first_query);
}

template <class T, int SIZE>
__global__ void __launch_bounds__(KD_TENSOR_THREADS, layout<SIZE>::AT_ONCE) attend(arguments<T> a)
{
    if (KD_HAS_AMPERE)
        attend_rows<T, SIZE>(a);
    else
        __trap();
}

template <class T> void launch(struct kd_queue *queue, const struct kd_op_attention *a)
{
    arguments<T> of_kernel = {
        (const T *)a->qkv, (T *)a->y, a->log_sum, {a->n, a->length, a->n_heads, a->size}};
    kd_by_head_size(a->size, [&]<int SIZE>() {
        auto kernel = attend<T, SIZE>;
        constexpr size_t shared_bytes = sizeof(kd_tile_stages<T, SIZE, layout<SIZE>::TILE>);
        static_assert(shared_bytes <= 48 * 1024, "what a block gets without asking");
        KD_LAUNCH(kernel, kd_tensor_blocks(of_kernel.shape, layout<SIZE>::ROWS), KD_TENSOR_THREADS,
                  shared_bytes, queue->stream, of_kernel);
    });
}

} // namespace

void kd_attention_ampere(struct kd_queue *queue, const struct kd_op_attention *a)
{
    if (queue->precision == KD_PRECISION_BF16)
        launch<__nv_bfloat16>(queue, a);
    else
        launch<__half>(queue, a);
}
