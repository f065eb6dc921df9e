/* lamb.c - both passes of LAMB, and the sum of squares. */
#include <math.h>

#include "kernels/cpu/squares.h"
#include "kernels/cpu/table.h"
#include "kernels/cpu/update.h"

struct factors {
    float c1, root, beta1, beta2, epsilon, decay, scale;
};

/* The direction of n <= KD_LANES parameters. */
KD_INLINE void direct(const float *restrict p, float *restrict u, float *restrict m,
                      float *restrict v, int64_t n, struct factors f)
{
    for (int64_t i = 0; i < n; i++) {
        float gradient = u[i] * f.scale;
        m[i] = f.beta1 * m[i] + (1.0f - f.beta1) * gradient;
        v[i] = f.beta2 * v[i] + (1.0f - f.beta2) * gradient * gradient;
        u[i] = m[i] * f.c1 / (sqrtf(v[i]) * f.root + f.epsilon) + f.decay * p[i];
    }
}

/* Parameters [at, at + n), with the squares of them and of their direction while both are at hand. */
KD_SIMD static void direct_range(const struct kd_op_lamb_direction *a, int64_t at, int64_t n,
                                 const struct factors *factors, double norms[2])
{
    const float *restrict p = a->parameters + at;
    float *restrict u = a->gradients + at, *restrict m = a->state[0] + at,
                    *restrict v = a->state[1] + at;
    const struct factors f = *factors;
    struct kd_squares weight = {{0}, {0}}, step = {{0}, {0}};
    int64_t whole = kd_lanes_down(n), n_rest = n - whole;
    for (int64_t i = 0; i < whole; i += KD_LANES) {
        direct(p + i, u + i, m + i, v + i, KD_LANES, f);
        kd_squares_add(&weight, (const kd_lanes_at *)(p + i));
        kd_squares_add(&step, (const kd_lanes_at *)(u + i));
    }
    direct(p + whole, u + whole, m + whole, v + whole, n_rest, f);
    norms[0] = kd_squares_sum(&weight) + kd_squares_of(p + whole, n_rest);
    norms[1] = kd_squares_sum(&step) + kd_squares_of(u + whole, n_rest);
}

KD_SIMD static double squares(const float *x, int64_t n)
{
    return kd_squares_of(x, n);
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
    struct factors factors = factors_of(a);
    int64_t at = 0;
    for (int r = 0; r < a->n_ranges; r++) {
        int64_t n = a->ranges[r].n;
        factors.decay = a->ranges[r].decay ? a->hyper->weight_decay : 0.0f;
        direct_range(a, at, n, &factors, a->norms + 2 * r);
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
    int64_t at = 0;
    for (int r = 0; r < a->n_ranges; r++) {
        apply(a->parameters + at, a->direction + at, a->ranges[r].n,
              (float)((double)a->hyper->lr * ratio_of(a, r)));
        at += a->ranges[r].n;
    }
}
