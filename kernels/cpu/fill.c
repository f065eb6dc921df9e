#include <string.h>

#include "kernels/cpu/philox.h"
#include "kernels/cpu/table.h"

void kd_cpu_copy(struct kd_queue *queue, const struct kd_op_copy *a)
{
    (void)queue;
    if (a->n > 0)
        memcpy(a->y, a->x, (size_t)a->n * sizeof *a->y);
}

/* The CPU stores floats. */
void kd_cpu_round(struct kd_queue *queue, const struct kd_op_round *a)
{
    const float *x = a->x;
    float *y = a->y;
    for (int r = 0; r < a->n_ranges; r++) {
        kd_cpu_copy(queue, &(struct kd_op_copy){.x = x, .y = y, .n = a->ranges[r].n});
        x += a->ranges[r].n;
        y += kd_rounded_size(&a->ranges[r]);
    }
}

void kd_cpu_fill(struct kd_queue *queue, const struct kd_op_fill *a)
{
    (void)queue;
    for (int64_t i = 0; i < a->n; i++)
        a->x[i] = a->value;
}

KD_SIMD static void uniform(const struct kd_op_init_uniform *a)
{
    for (int64_t start = 0; start < a->n; start += KD_PHILOX_WORDS) {
        int64_t n = a->n - start < KD_PHILOX_WORDS ? a->n - start : KD_PHILOX_WORDS;
        uint32_t words[KD_PHILOX_WORDS];
        kd_philox_many(a->seed, a->stream, (uint64_t)(start / 4), (int)((n + 3) / 4), words);
        /* 24 bits, doubled and shifted by one: exact in a float, so only the product is rounded. */
        for (int64_t i = 0; i < n; i++)
            a->x[start + i] = a->bound * ((float)(int32_t)(words[i] >> 8) * 0x1p-23f - 1.0f);
    }
}

void kd_cpu_init_uniform(struct kd_queue *queue, const struct kd_op_init_uniform *a)
{
    (void)queue;
    uniform(a);
}
