#include "kernels/cpu/simd.h"
#include "kernels/cpu/table.h"

KD_SIMD static void plain(float *restrict p, const float *restrict g, int64_t n, float keep,
                          float lr)
{
    for (int64_t i = 0; i < n; i++)
        p[i] = p[i] * keep - lr * g[i];
}

KD_SIMD static void with_momentum(float *restrict p, const float *restrict g, float *restrict v,
                                  int64_t n, float keep, float lr, float momentum)
{
    for (int64_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] + g[i];
        p[i] = p[i] * keep - lr * v[i];
    }
}

void kd_cpu_sgd(struct kd_queue *queue, const struct kd_op_update *a)
{
    (void)queue;
    const struct kd_hyper *hyper = a->hyper;
    int64_t at = 0;
    for (int r = 0; r < a->n_ranges; r++) {
        float keep = a->ranges[r].decay ? 1.0f - hyper->lr * hyper->weight_decay : 1.0f;
        int64_t n = a->ranges[r].n;
        if (a->state[0])
            with_momentum(a->parameters + at, a->gradients + at, a->state[0] + at, n, keep,
                          hyper->lr, hyper->momentum);
        else
            plain(a->parameters + at, a->gradients + at, n, keep, hyper->lr);
        at += n;
    }
}
