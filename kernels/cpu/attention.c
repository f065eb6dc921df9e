#include "kernels/cpu/attention.h"

#include <math.h>

#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/table.h"

/* A head's packed operands, and one block's scores and outputs. */
struct forward {
    float *q, *keys, *v; /* q scaled; keys transposed */
    float *scores;       /* [KD_BLOCK][length, padded] */
    float *out;          /* [KD_BLOCK][size, padded] */
};

static struct forward forward_memory(int64_t length, int64_t size)
{
    int64_t rows = kd_block_up(length), width = kd_lanes_up(size);
    int64_t n = 3 * rows * width + KD_BLOCK * (rows + width);
    float *memory = kd_cpu_scratch(KD_SCRATCH_ATTENTION, (size_t)n * sizeof(float));
    return (struct forward){
        .q = memory,
        .keys = memory + rows * width,
        .v = memory + 2 * rows * width,
        .scores = memory + 3 * rows * width,
        .out = memory + 3 * rows * width + KD_BLOCK * rows,
    };
}

/* A NaN is never the greatest; it comes back in the sum of the exponentials. */
KD_INLINE float max_of(const float *x, int64_t n)
{
    kd_lanes max = *(const kd_lanes_at *)x;
    for (int64_t j = KD_LANES; j < n; j += KD_LANES) {
        kd_lanes next = *(const kd_lanes_at *)(x + j);
        max = kd_lanes_choose(next > max, next, max);
    }
    return kd_lanes_max(&max);
}

/* x = e^(x - max); the sum of them. */
KD_INLINE float exp_and_sum(float *x, float max, int64_t n)
{
    kd_lanes sum = {0};
    for (int64_t j = 0; j < n; j += KD_LANES) {
        for (int l = 0; l < KD_LANES; l++)
            x[j + l] = kd_fast_exp(x[j + l] - max);
        sum += *(const kd_lanes_at *)(x + j);
    }
    return kd_lanes_sum(&sum);
}

/* A row's n scores to weights (not yet over their sum); of the last KD_BLOCK only the first n_seen
 * are seen. */
KD_INLINE float to_weights(float *scores, int64_t n_seen, int64_t n, float *log_sum)
{
    float *last = scores + n - KD_BLOCK;
    kd_cut_block(last, n_seen, -INFINITY);
    float max = max_of(scores, n);
    float sum = exp_and_sum(scores, max, n);
    kd_cut_block(last, n_seen, 0.0f);
    *log_sum = max + logf(sum);
    return sum;
}

static void forward_head(const struct kd_op_attention *a, const float *qkv, float *y,
                         float *log_sum, const struct forward *f)
{
    int64_t model = a->n_heads * a->size, width = kd_lanes_up(a->size);
    int64_t scores_row = kd_block_up(a->length);
    struct kd_head head = {qkv, 3 * model, a->length, a->size};
    kd_pack(head, 1.0f / sqrtf((float)a->size), f->q);
    head.values = qkv + model;
    kd_pack_transposed(head, f->keys);
    head.values = qkv + 2 * model;
    kd_pack(head, 1.0f, f->v);
    for (int64_t from = 0; from < a->length; from += KD_BLOCK) {
        int64_t n_keys = from + KD_BLOCK;
        struct kd_left q = {f->q + from * width, width, 1}, weights = {f->scores, scores_row, 1};
        kd_product(q, f->keys, scores_row, f->scores, scores_row, KD_BLOCK, n_keys, a->size, false);
        float sums[KD_BLOCK];
        int64_t n_rows = a->length - from < KD_BLOCK ? a->length - from : KD_BLOCK;
        for (int64_t i = 0; i < n_rows; i++)
            sums[i] = to_weights(f->scores + i * scores_row, i + 1, n_keys, &log_sum[from + i]);
        kd_product(weights, f->v, width, f->out, width, KD_BLOCK, width, n_keys, false);
        for (int64_t i = 0; i < n_rows; i++)
            kd_scale_row(f->out + i * width, 1.0f / sums[i], y + (from + i) * model, a->size);
    }
}

KD_EACH_ISA(kd_cpu_attention, struct kd_queue *queue, const struct kd_op_attention *a)
{
    (void)queue;
    int64_t model = a->n_heads * a->size;
    struct forward f = forward_memory(a->length, a->size);
    for (int64_t s = 0; s < a->n; s++)
        for (int64_t h = 0; h < a->n_heads; h++) {
            if (s + 1 < a->n)
                kd_prefetch_part((const float *)a->qkv + (s + 1) * a->length * 3 * model,
                                 a->length * 3 * model, h, a->n_heads);
            forward_head(a, (const float *)a->qkv + s * a->length * 3 * model + h * a->size,
                         (float *)a->y + s * a->length * model + h * a->size,
                         a->log_sum + (s * a->n_heads + h) * a->length, &f);
        }
}
