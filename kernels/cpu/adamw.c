#include <math.h>

#include "kernels/cpu/table.h"
#include "kernels/cpu/update.h"

/* The two bias corrections moved out of the loop:
 *   lr (m / c1) / (sqrt(v / c2) + eps) = (lr / c1) m / (sqrt(v) / sqrt(c2) + eps). */
struct factors {
    float keep, rate, root, beta1, beta2, epsilon, scale;
};

KD_SIMD static void update(float *restrict p, const float *restrict g, float *restrict m,
                           float *restrict v, int64_t n, const struct factors *factors)
{
    const struct factors f = *factors;
    for (int64_t i = 0; i < n; i++) {
        float gradient = g[i] * f.scale;
        m[i] = f.beta1 * m[i] + (1.0f - f.beta1) * gradient;
        v[i] = f.beta2 * v[i] + (1.0f - f.beta2) * gradient * gradient;
        p[i] = p[i] * f.keep - f.rate * m[i] / (sqrtf(v[i]) * f.root + f.epsilon);
    }
}

static struct factors factors_of(const struct kd_op_update *a)
{
    const struct kd_hyper *hyper = a->hyper;
    double c1 = 1.0 - pow((double)hyper->beta1, (double)hyper->step);
    double c2 = 1.0 - pow((double)hyper->beta2, (double)hyper->step);
    return (struct factors){
        .rate = (float)(hyper->lr / c1),
        .root = (float)(1.0 / sqrt(c2)),
        .beta1 = hyper->beta1,
        .beta2 = hyper->beta2,
        .epsilon = hyper->epsilon,
        .scale = kd_scale_of(a->scale),
    };
}

void kd_cpu_adamw(struct kd_queue *queue, const struct kd_op_update *a)
{
    (void)queue;
    struct factors factors = factors_of(a);
    int64_t at = 0;
    for (int r = 0; r < a->n_ranges; r++) {
        factors.keep = kd_keep_of(&a->ranges[r], a->hyper);
        update(a->parameters + at, a->gradients + at, a->state[0] + at, a->state[1] + at,
               a->ranges[r].n, &factors);
        at += a->ranges[r].n;
    }
}
