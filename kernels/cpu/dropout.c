#include <string.h>

#include "coordinator/base/rng.h"
#include "kernels/cpu/philox.h"
#include "kernels/cpu/table.h"

struct key {
    uint64_t seed, step;
    uint32_t threshold; /* a word below it drops its element */
    float scale;
};

KD_SIMD static void drop_sample(const float *x, float *y, int64_t size, uint64_t sample,
                                const struct key *key)
{
    for (int64_t start = 0; start < size; start += KD_PHILOX_WORDS) {
        int64_t n = size - start < KD_PHILOX_WORDS ? size - start : KD_PHILOX_WORDS;
        uint32_t words[KD_PHILOX_WORDS];
        kd_philox_many(key->seed, sample, key->step << 32 | (uint64_t)(start / 4),
                       (int)((n + 3) / 4), words);
        for (int64_t i = 0; i < n; i++)
            y[start + i] = words[i] >= key->threshold ? x[start + i] * key->scale : 0.0f;
    }
}

void kd_cpu_dropout(struct kd_queue *queue, const struct kd_op_dropout *a)
{
    (void)queue;
    if (*a->rate == 0.0f) {
        if (a->x != a->y && a->n_samples > 0 && a->size > 0)
            memcpy(a->y, a->x, (size_t)(a->n_samples * a->size) * sizeof *a->y);
        return;
    }
    struct key key = {
        .seed = kd_hash2(a->turn->seed, a->layer),
        .step = (uint64_t)a->turn->step,
        .threshold = (uint32_t)((double)*a->rate * 0x1p32),
        .scale = 1.0f / (1.0f - *a->rate),
    };
    for (int64_t s = 0; s < a->n_samples; s++)
        drop_sample(a->x + s * a->size, a->y + s * a->size, a->size, (uint64_t)a->samples[s], &key);
}
