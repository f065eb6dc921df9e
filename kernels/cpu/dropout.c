#include <stdbool.h>
#include <string.h>

#include "coordinator/base/rng.h"
#include "kernels/cpu/philox.h"
#include "kernels/cpu/table.h"

enum { HALVES = 8, GROUP = HALVES * KD_PHILOX_LANES };

struct key {
    uint64_t seed, step;
    uint32_t threshold; /* 16 bits below it drop their element */
    float scale;
};

static uint32_t threshold_of(const float *rate)
{
    return (uint32_t)((double)*rate * 0x1p16);
}

static float scale_of(uint32_t threshold)
{
    return (float)(1.0 / (1.0 - threshold * 0x1p-16));
}

/* One half word of each of n <= KD_LANES lanes: whether an element is kept, and what becomes of it.
 * Written as vectors, which the compiler does not make of it: x and y may be the same, and bytes
 * could be anything. */
KD_INLINE void drop_lanes(const float *x, float *y, uint8_t *kept, const uint32_t *words, int shift,
                          size_t n, const struct key *key)
{
    kd_lanes in = {0};
    kd_lanes_int halves;
    memcpy(&in, x, n * sizeof *x);
    memcpy(&halves, words, sizeof halves);
    kd_lanes_int is_kept = (halves >> shift & 0xFFFF) >= (int32_t)key->threshold;
    kd_lanes out = kd_lanes_where(is_kept, in * key->scale);
    kd_lanes_byte bytes = __builtin_convertvector(is_kept & 1, kd_lanes_byte);
    memcpy(y, &out, n * sizeof *y);
    memcpy(kept, &bytes, n);
}

KD_INLINE void drop_row(const float *x, float *y, uint8_t *kept, const uint32_t *words, int shift,
                        int64_t n, const struct key *key)
{
    int64_t whole = kd_lanes_down(n);
    for (int64_t i = 0; i < whole; i += KD_LANES)
        drop_lanes(x + i, y + i, kept + i, words + i, shift, KD_LANES, key);
    if (whole < n)
        drop_lanes(x + whole, y + whole, kept + whole, words + whole, shift, (size_t)(n - whole),
                   key);
}

/* Rows of a constant length become vectors; only the last one of a sample may be shorter. */
static void drop_sample(const float *x, float *y, uint8_t *kept, int64_t size, uint64_t sample,
                        const struct key *key)
{
    const struct key k = *key;
    for (int64_t at = 0; at < size; at += GROUP) {
        uint32_t words[4][KD_PHILOX_LANES];
        kd_philox_lanes(k.seed, sample, k.step << 32 | (uint64_t)(at / HALVES), words);
        for (int h = 0; h < HALVES; h++) {
            int64_t from = at + h * KD_PHILOX_LANES;
            if (from + KD_PHILOX_LANES > size) {
                if (from < size)
                    drop_row(x + from, y + from, kept + from, words[h / 2], 16 * (h & 1),
                             size - from, &k);
                break;
            }
            drop_row(x + from, y + from, kept + from, words[h / 2], 16 * (h & 1), KD_PHILOX_LANES,
                     &k);
        }
    }
}

static void keep_all(const struct kd_op_dropout *a)
{
    size_t n = (size_t)(a->n_samples * a->size);
    if (n == 0)
        return;
    memset(a->kept, 1, n);
    if (a->x != a->y)
        memcpy(a->y, a->x, n * sizeof(float));
}

KD_EACH_ISA(kd_cpu_dropout, struct kd_queue *queue, const struct kd_op_dropout *a)
{
    (void)queue;
    struct key key = {
        .seed = kd_hash2(a->turn->seed, a->layer),
        .step = (uint64_t)a->turn->step,
        .threshold = threshold_of(a->rate),
        .scale = scale_of(threshold_of(a->rate)),
    };
    if (key.threshold == 0) {
        keep_all(a);
        return;
    }
    for (int64_t s = 0; s < a->n_samples; s++)
        drop_sample((const float *)a->x + s * a->size, (float *)a->y + s * a->size,
                    a->kept + s * a->size, a->size, (uint64_t)a->samples[s], &key);
}

static void backward(const float *dy, const uint8_t *kept, float *dx, int64_t n, float scale)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = kept[i] ? dy[i] * scale : 0.0f;
}

KD_EACH_ISA(kd_cpu_dropout_backward, struct kd_queue *queue, const struct kd_op_dropout_backward *a)
{
    (void)queue;
    backward(a->dy, a->kept, a->dx, a->n, scale_of(threshold_of(a->rate)));
}
