#include "kernels/cpu/table.h"
#include "kernels/cpu/update.h"

struct factors {
    float keep, lr, beta1, beta2, scale;
};

/* The sign of 0 is 0; that of a NaN or an infinity is a NaN, or nobody would hear of a gradient
 * that blew up. */
KD_INLINE float sign(float x)
{
    return (x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f) + (x - x);
}

KD_SIMD static void update(float *restrict p, const float *restrict g, float *restrict m, int64_t n,
                           const struct factors *factors)
{
    const struct factors f = *factors;
    for (int64_t i = 0; i < n; i++) {
        float gradient = g[i] * f.scale;
        p[i] = p[i] * f.keep - f.lr * sign(f.beta1 * m[i] + (1.0f - f.beta1) * gradient);
        m[i] = f.beta2 * m[i] + (1.0f - f.beta2) * gradient;
    }
}

void kd_cpu_lion(struct kd_queue *queue, const struct kd_op_update *a)
{
    (void)queue;
    if (kd_is_left_out(a->scale))
        return;
    struct factors factors = {.lr = a->hyper->lr,
                              .beta1 = a->hyper->beta1,
                              .beta2 = a->hyper->beta2,
                              .scale = kd_scale_of(a->scale)};
    int64_t at = 0;
    for (int r = 0; r < a->n_ranges; r++) {
        factors.keep = kd_keep_of(&a->ranges[r], a->hyper);
        update(a->parameters + at, a->gradients + at, a->state[0] + at, a->ranges[r].n, &factors);
        at += a->ranges[r].n;
    }
}
