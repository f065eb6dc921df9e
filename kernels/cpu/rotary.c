#include <math.h>

#include "kernels/cpu/scratch.h"
#include "kernels/cpu/table.h"
#include "kernels/simd.h"

/* The turns of all positions; kept from call to call, since making them takes as long as using them
 * on many samples. */
struct turns {
    int64_t length, half;
    float base;
    float values[]; /* [length][2][half]: cosines, sines */
};

static void make_turns(struct turns *turns, const struct kd_op_rotary *a)
{
    *turns = (struct turns){.length = a->length, .half = a->size / 2, .base = a->base};
    for (int64_t i = 0; i < turns->half; i++) {
        double frequency = pow((double)a->base, -2.0 * (double)i / (double)a->size);
        for (int64_t t = 0; t < a->length; t++) {
            float *row = turns->values + 2 * t * turns->half;
            row[i] = (float)cos((double)t * frequency);
            row[turns->half + i] = (float)sin((double)t * frequency);
        }
    }
}

static const struct turns *find_turns(const struct kd_op_rotary *a)
{
    struct turns *turns = kd_cpu_scratch(
        KD_SCRATCH_ROTARY, sizeof *turns + (size_t)(a->length * a->size) * sizeof(float));
    if (turns->length != a->length || turns->half != a->size / 2 || turns->base != a->base)
        make_turns(turns, a);
    return turns;
}

KD_SIMD static void turn_heads(float *x, int64_t n_heads, int64_t half, const float *restrict turn,
                               float direction)
{
    for (int64_t h = 0; h < n_heads; h++) {
        float *restrict first = x + 2 * h * half, *restrict second = first + half;
        for (int64_t i = 0; i < half; i++) {
            float cosine = turn[i], sine = direction * turn[half + i];
            float a = first[i], b = second[i];
            first[i] = a * cosine - b * sine;
            second[i] = b * cosine + a * sine;
        }
    }
}

/* The heads of q and those of k lie one after the other. */
void kd_cpu_rotary(struct kd_queue *queue, const struct kd_op_rotary *a)
{
    (void)queue;
    int64_t row = 3 * a->n_heads * a->size;
    const struct turns *turns = find_turns(a);
    for (int64_t s = 0; s < a->n; s++)
        for (int64_t t = 0; t < a->length; t++)
            turn_heads((float *)a->qkv + (s * a->length + t) * row, 2 * a->n_heads, turns->half,
                       turns->values + 2 * t * turns->half, a->inverse ? -1.0f : 1.0f);
}
