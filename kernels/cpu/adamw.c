#include <math.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/table.h"
#include "kernels/cpu/update.h"

/* The two bias corrections moved out of the loop:
 *   lr (m / c1) / (sqrt(v / c2) + eps) = (lr / c1) m / (sqrt(v) / sqrt(c2) + eps). */
struct factors {
    float keep, rate, root, beta1, beta2, epsilon, scale;
};

KD_INLINE void update_lanes(kd_lanes *p, kd_lanes g, kd_lanes *m, kd_lanes *v,
                            const struct factors *f)
{
    kd_lanes gradient = g * f->scale;
    *m = f->beta1 * *m + (1.0f - f->beta1) * gradient;
    *v = f->beta2 * *v + (1.0f - f->beta2) * gradient * gradient;
    *p = *p * f->keep - f->rate * *m / (kd_lanes_sqrt(*v) * f->root + f->epsilon);
}

/* The elements behind the last whole vector, with zeros around. */
static void update_rest(float *p, const float *g, float *m, float *v, int64_t n,
                        const struct factors *factors)
{
    size_t bytes = (size_t)n * sizeof(float);
    kd_lanes some_p = {0}, some_g = {0}, some_m = {0}, some_v = {0};
    memcpy(&some_p, p, bytes);
    memcpy(&some_g, g, bytes);
    memcpy(&some_m, m, bytes);
    memcpy(&some_v, v, bytes);
    update_lanes(&some_p, some_g, &some_m, &some_v, factors);
    memcpy(p, &some_p, bytes);
    memcpy(m, &some_m, bytes);
    memcpy(v, &some_v, bytes);
}

static void update(float *restrict p, const float *restrict g, float *restrict m, float *restrict v,
                   int64_t n, const struct factors *factors)
{
    const struct factors f = *factors;
    int64_t i = 0;
    for (; i < kd_lanes_down(n); i += KD_LANES) {
        kd_lanes some_p = *(kd_lanes_at *)(p + i), some_m = *(kd_lanes_at *)(m + i);
        kd_lanes some_v = *(kd_lanes_at *)(v + i);
        update_lanes(&some_p, *(const kd_lanes_at *)(g + i), &some_m, &some_v, &f);
        *(kd_lanes_at *)(p + i) = some_p;
        *(kd_lanes_at *)(m + i) = some_m;
        *(kd_lanes_at *)(v + i) = some_v;
    }
    update_rest(p + i, g + i, m + i, v + i, n - i, &f);
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

KD_EACH_ISA(kd_cpu_adamw, struct kd_queue *queue, const struct kd_op_update *a)
{
    (void)queue;
    if (kd_is_left_out(a->scale))
        return;
    struct factors factors = factors_of(a);
    int64_t at = 0;
    for (int r = 0; r < a->n_ranges; r++) {
        factors.keep = kd_keep_of(&a->ranges[r], a->hyper);
        update(a->parameters + at, a->gradients + at, a->state[0] + at, a->state[1] + at,
               a->ranges[r].n, &factors);
        at += a->ranges[r].n;
    }
}
