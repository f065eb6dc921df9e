/* lamb.c - both passes of LAMB, and the sum of squares. */
#include <math.h>

#include "kernels/cpu/table.h"
#include "kernels/cpu/update.h"

struct factors {
    float c1, root, beta1, beta2, epsilon, decay, scale;
};

/* u, the gradient, becomes the direction; norms: the squares of p and of u, taken while both are at
 * hand. */
KD_SIMD static void direct(const float *restrict p, float *restrict u, float *restrict m,
                           float *restrict v, int64_t n, const struct factors *factors,
                           double norms[2])
{
    const struct factors f = *factors;
    double weight = 0.0, step = 0.0;
#pragma omp simd reduction(+ : weight, step)
    for (int64_t i = 0; i < n; i++) {
        float gradient = u[i] * f.scale;
        m[i] = f.beta1 * m[i] + (1.0f - f.beta1) * gradient;
        v[i] = f.beta2 * v[i] + (1.0f - f.beta2) * gradient * gradient;
        u[i] = m[i] * f.c1 / (sqrtf(v[i]) * f.root + f.epsilon) + f.decay * p[i];
        weight += (double)p[i] * (double)p[i];
        step += (double)u[i] * (double)u[i];
    }
    norms[0] = weight;
    norms[1] = step;
}

KD_SIMD static double squares(const float *x, int64_t n)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

void kd_cpu_sum_squares(struct kd_queue *queue, const struct kd_op_sum_squares *a)
{
    (void)queue;
    *a->sum = squares(a->x, a->n);
}

static struct factors factors_of(const struct kd_op_lamb_direction *a)
{
    const struct kd_hyper *hyper = a->hyper;
    return (struct factors){
        .c1 = (float)(1.0 / (1.0 - pow((double)hyper->beta1, (double)hyper->step))),
        .root = (float)(1.0 / sqrt(1.0 - pow((double)hyper->beta2, (double)hyper->step))),
        .beta1 = hyper->beta1,
        .beta2 = hyper->beta2,
        .epsilon = hyper->epsilon,
        .scale = kd_scale_of(a->scale),
    };
}

void kd_cpu_lamb_direction(struct kd_queue *queue, const struct kd_op_lamb_direction *a)
{
    (void)queue;
    if (kd_is_left_out(a->scale))
        return;
    struct factors factors = factors_of(a);
    int64_t at = 0;
    for (int r = 0; r < a->n_ranges; r++) {
        int64_t n = a->ranges[r].n;
        factors.decay = a->ranges[r].decay ? a->hyper->weight_decay : 0.0f;
        direct(a->parameters + at, a->gradients + at, a->state[0] + at, a->state[1] + at, n,
               &factors, a->norms + 2 * r);
        at += n;
    }
}

KD_SIMD static void apply(float *restrict p, const float *restrict u, int64_t n, float rate)
{
    for (int64_t i = 0; i < n; i++)
        p[i] -= rate * u[i];
}

/* Tensors that do not decay are biases and scales: their steps are Adam's. */
static double ratio_of(const struct kd_op_lamb_apply *a, int r)
{
    double weight = sqrt(a->norms[2 * r]), step = sqrt(a->norms[2 * r + 1]);
    return a->ranges[r].decay && weight > 0 && step > 0 ? weight / step : 1.0;
}

void kd_cpu_lamb_apply(struct kd_queue *queue, const struct kd_op_lamb_apply *a)
{
    (void)queue;
    if (kd_is_left_out(a->scale))
        return;
    int64_t at = 0;
    for (int r = 0; r < a->n_ranges; r++) {
        apply(a->parameters + at, a->direction + at, a->ranges[r].n,
              (float)((double)a->hyper->lr * ratio_of(a, r)));
        at += a->ranges[r].n;
    }
}
