#include <math.h>
#include <string.h>

#include "kernels/cpu/attention.h"
#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/table.h"

/* A head's packed operands, one block's weights and their gradients, and the sums of the gradients
 * of k and v. */
struct backward {
    float *q, *k, *dy;            /* [length][size], padded; q scaled */
    float *keys, *values;         /* k and v, transposed */
    float *dk, *dv;               /* [length][size], padded */
    float *weights, *differences; /* [KD_BLOCK][length, padded] */
    float *dq;                    /* [KD_BLOCK][size, padded] */
};

static struct backward backward_memory(int64_t length, int64_t size)
{
    int64_t rows = kd_block_up(length), width = kd_lanes_up(size), head = rows * width;
    int64_t n = 7 * head + KD_BLOCK * (2 * rows + width);
    float *memory = kd_cpu_scratch(KD_SCRATCH_ATTENTION, (size_t)n * sizeof(float));
    float *blocks = memory + 7 * head;
    return (struct backward){
        .q = memory,
        .k = memory + head,
        .dy = memory + 2 * head,
        .keys = memory + 3 * head,
        .values = memory + 4 * head,
        .dk = memory + 5 * head,
        .dv = memory + 6 * head,
        .weights = blocks,
        .differences = blocks + KD_BLOCK * rows,
        .dq = blocks + KD_BLOCK * 2 * rows,
    };
}

/* Where one head lies in the memory of the op. */
struct place {
    const float *qkv, *y, *dy, *log_sum;
    float *dqkv;
};

KD_INLINE float dot(const float *x, const float *y, int64_t n)
{
    kd_lanes sum = {0};
    int64_t whole = kd_lanes_down(n);
    for (int64_t j = 0; j < whole; j += KD_LANES)
        sum += *(const kd_lanes_at *)(x + j) * *(const kd_lanes_at *)(y + j);
    for (int64_t j = whole; j < n; j++)
        sum[j - whole] += x[j] * y[j];
    return kd_lanes_sum(&sum);
}

/* A row of scores to weights p, and of p's gradients to the scores': p (dp - sum of p dp), the sum
 * being that of dy y. Of the last KD_BLOCK only the first n_seen are seen. */
KD_INLINE void to_differences(float *restrict p, float *restrict dp, float log_sum, float mean,
                              int64_t n_seen, int64_t n)
{
    for (int64_t j = 0; j < n; j += KD_LANES)
        for (int l = 0; l < KD_LANES; l++) {
            p[j + l] = kd_fast_exp(p[j + l] - log_sum);
            dp[j + l] = p[j + l] * (dp[j + l] - mean);
        }
    kd_cut_block(p + n - KD_BLOCK, n_seen, 0.0f);
    kd_cut_block(dp + n - KD_BLOCK, n_seen, 0.0f);
}

KD_INLINE void pack(const struct kd_op_attention_backward *a, const struct place *at,
                    const struct backward *b)
{
    int64_t model = a->n_heads * a->size;
    struct kd_head q = {at->qkv, 3 * model, a->length, a->size}, k = q, v = q;
    k.values += model;
    v.values += 2 * model;
    kd_pack(q, 1.0f / sqrtf((float)a->size), b->q);
    kd_pack(k, 1.0f, b->k);
    kd_pack((struct kd_head){at->dy, model, a->length, a->size}, 1.0f, b->dy);
    kd_pack_transposed(k, b->keys);
    kd_pack_transposed(v, b->values);
}

/* The weights of a block of queries and the gradients of their scores. */
KD_INLINE void block_differences(const struct kd_op_attention_backward *a, const struct place *at,
                                 const struct backward *b, int64_t from)
{
    int64_t width = kd_lanes_up(a->size), row = kd_block_up(a->length);
    int64_t model = a->n_heads * a->size, n_keys = from + KD_BLOCK;
    struct kd_left q = {b->q + from * width, width, 1}, dy = {b->dy + from * width, width, 1};
    kd_product(q, b->keys, row, b->weights, row, KD_BLOCK, n_keys, a->size, false);
    kd_product(dy, b->values, row, b->differences, row, KD_BLOCK, n_keys, a->size, false);
    for (int64_t i = 0; i < KD_BLOCK; i++) {
        int64_t t = from + i;
        float *weights = b->weights + i * row, *differences = b->differences + i * row;
        if (t < a->length) {
            float mean = dot(at->dy + t * model, at->y + t * model, a->size);
            to_differences(weights, differences, at->log_sum[t], mean, i + 1, n_keys);
        } else { /* a row of padding */
            memset(weights, 0, (size_t)n_keys * sizeof *weights);
            memset(differences, 0, (size_t)n_keys * sizeof *differences);
        }
    }
}

/* dq = differences k, dk += differences^T q, dv += weights^T dy; the newest KD_BLOCK keys get their
 * first gradient. */
KD_INLINE void block_gradients(const struct backward *b, int64_t from, int64_t width, int64_t row)
{
    const float *q = b->q + from * width, *dy = b->dy + from * width;
    struct kd_left differences = {b->differences, row, 1};
    struct kd_left for_keys = {b->differences, 1, row}, for_values = {b->weights, 1, row};
    kd_product(differences, b->k, width, b->dq, width, KD_BLOCK, width, from + KD_BLOCK, false);
    kd_product(for_keys, q, width, b->dk, width, from, width, KD_BLOCK, true);
    kd_product(for_values, dy, width, b->dv, width, from, width, KD_BLOCK, true);
    for_keys.values += from, for_values.values += from;
    kd_product(for_keys, q, width, b->dk + from * width, width, KD_BLOCK, width, KD_BLOCK, false);
    kd_product(for_values, dy, width, b->dv + from * width, width, KD_BLOCK, width, KD_BLOCK,
               false);
}

/* n rows of `from` times a factor, `stride` apart. */
KD_INLINE void write_rows(const float *from, float factor, float *to, int64_t stride, int64_t n,
                          int64_t size)
{
    for (int64_t t = 0; t < n; t++)
        kd_scale_row(from + t * kd_lanes_up(size), factor, to + t * stride, size);
}

static void backward_head(const struct kd_op_attention_backward *a, const struct place *at,
                          const struct backward *b)
{
    int64_t model = a->n_heads * a->size, width = kd_lanes_up(a->size);
    pack(a, at, b);
    for (int64_t from = 0; from < a->length; from += KD_BLOCK) {
        int64_t n_rows = a->length - from < KD_BLOCK ? a->length - from : KD_BLOCK;
        block_differences(a, at, b, from);
        block_gradients(b, from, width, kd_block_up(a->length));
        write_rows(b->dq, 1.0f / sqrtf((float)a->size), at->dqkv + from * 3 * model, 3 * model,
                   n_rows, a->size);
    }
    write_rows(b->dk, 1.0f, at->dqkv + model, 3 * model, a->length, a->size);
    write_rows(b->dv, 1.0f, at->dqkv + 2 * model, 3 * model, a->length, a->size);
}

static void prefetch_next(const struct kd_op_attention_backward *a, int64_t sample, int64_t head)
{
    int64_t n = a->length * a->n_heads * a->size;
    if (sample + 1 >= a->n)
        return;
    kd_prefetch_part((const float *)a->qkv + (sample + 1) * 3 * n, 3 * n, head, a->n_heads);
    kd_prefetch_part((const float *)a->y + (sample + 1) * n, n, head, a->n_heads);
    kd_prefetch_part((const float *)a->dy + (sample + 1) * n, n, head, a->n_heads);
}

KD_EACH_ISA(kd_cpu_attention_backward, struct kd_queue *queue,
            const struct kd_op_attention_backward *a)
{
    (void)queue;
    int64_t model = a->n_heads * a->size;
    struct backward b = backward_memory(a->length, a->size);
    for (int64_t s = 0; s < a->n; s++)
        for (int64_t h = 0; h < a->n_heads; h++) {
            int64_t at = s * a->length * model + h * a->size;
            int64_t at_qkv = s * a->length * 3 * model + h * a->size;
            prefetch_next(a, s, h);
            backward_head(a,
                          &(struct place){
                              .qkv = (const float *)a->qkv + at_qkv,
                              .y = (const float *)a->y + at,
                              .dy = (const float *)a->dy + at,
                              .log_sum = a->log_sum + (s * a->n_heads + h) * a->length,
                              .dqkv = (float *)a->dqkv + at_qkv,
                          },
                          &b);
        }
}
