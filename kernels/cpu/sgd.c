#include "kernels/cpu/table.h"
#include "kernels/cpu/update.h"

struct factors {
    float keep, lr, momentum, scale;
};

KD_SIMD static void plain(float *restrict p, const float *restrict g, int64_t n,
                          const struct factors *factors)
{
    const struct factors f = *factors;
    for (int64_t i = 0; i < n; i++)
        p[i] = p[i] * f.keep - f.lr * (g[i] * f.scale);
}

KD_SIMD static void with_momentum(float *restrict p, const float *restrict g, float *restrict v,
                                  int64_t n, const struct factors *factors)
{
    const struct factors f = *factors;
    for (int64_t i = 0; i < n; i++) {
        v[i] = f.momentum * v[i] + g[i] * f.scale;
        p[i] = p[i] * f.keep - f.lr * v[i];
    }
}

KD_SIMD static void with_nesterov(float *restrict p, const float *restrict g, float *restrict v,
                                  int64_t n, const struct factors *factors)
{
    const struct factors f = *factors;
    for (int64_t i = 0; i < n; i++) {
        float gradient = g[i] * f.scale;
        v[i] = f.momentum * v[i] + gradient;
        p[i] = p[i] * f.keep - f.lr * (gradient + f.momentum * v[i]);
    }
}

void kd_cpu_sgd(struct kd_queue *queue, const struct kd_op_update *a)
{
    (void)queue;
    if (kd_is_left_out(a->scale))
        return;
    struct factors factors = {
        .lr = a->hyper->lr, .momentum = a->hyper->momentum, .scale = kd_scale_of(a->scale)};
    int64_t at = 0;
    for (int r = 0; r < a->n_ranges; r++) {
        int64_t n = a->ranges[r].n;
        float *p = a->parameters + at;
        const float *g = a->gradients + at;
        factors.keep = kd_keep_of(&a->ranges[r], a->hyper);
        if (a->state[0] && factors.momentum != 0.0f)
            (a->hyper->nesterov ? with_nesterov : with_momentum)(p, g, a->state[0] + at, n,
                                                                 &factors);
        else
            plain(p, g, n, &factors);
        at += n;
    }
}
