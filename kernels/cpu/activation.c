#include <string.h>

#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/table.h"

#define SQRT_HALF      0.707106781f
#define SQRT_HALF_OVPI 0.398942280f /* 1 / sqrt(2 pi) */

typedef void forward_fn(const float *x, float *y, int64_t n);
typedef void backward_fn(const float *dy, const float *saved, float *dx, int64_t n);

static void none(const float *x, float *y, int64_t n)
{
    if (x != y && n)
        memcpy(y, x, (size_t)n * sizeof *y);
}

/* Written so that a NaN stays one. */
KD_SIMD static void relu(const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

KD_SIMD static void gelu(const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = 0.5f * x[i] * (1.0f + kd_fast_erf(x[i] * SQRT_HALF));
}

KD_SIMD static void tanh_forward(const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = kd_fast_tanh(x[i]);
}

KD_SIMD static void silu(const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] / (1.0f + kd_fast_exp(-x[i]));
}

static void none_backward(const float *dy, const float *saved, float *dx, int64_t n)
{
    (void)saved;
    none(dy, dx, n);
}

/* saved is y. */
KD_SIMD static void relu_backward(const float *dy, const float *y, float *dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

/* saved is x: d/dx x Phi(x) = Phi(x) + x phi(x). */
KD_SIMD static void gelu_backward(const float *dy, const float *x, float *dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float below = 0.5f + 0.5f * kd_fast_erf(x[i] * SQRT_HALF);
        float density = SQRT_HALF_OVPI * kd_fast_exp(-0.5f * x[i] * x[i]);
        dx[i] = dy[i] * (below + x[i] * density);
    }
}

/* saved is y. */
KD_SIMD static void tanh_backward(const float *dy, const float *y, float *dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

/* saved is x: d/dx x s(x) = s(x) (1 + x (1 - s(x))). */
KD_SIMD static void silu_backward(const float *dy, const float *x, float *dx, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float s = 1.0f / (1.0f + kd_fast_exp(-x[i]));
        dx[i] = dy[i] * s * (1.0f + x[i] * (1.0f - s));
    }
}

static const struct {
    forward_fn *forward;
    backward_fn *backward;
} kinds[] = {
    [KD_ACTIVATION_NONE] = {none, none_backward},
    [KD_ACTIVATION_RELU] = {relu, relu_backward},
    [KD_ACTIVATION_GELU] = {gelu, gelu_backward},
    [KD_ACTIVATION_TANH] = {tanh_forward, tanh_backward},
    [KD_ACTIVATION_SILU] = {silu, silu_backward},
};

void kd_cpu_activation(struct kd_queue *queue, const struct kd_op_activation *a)
{
    (void)queue;
    kinds[a->activation].forward(a->x, a->y, a->n);
}

/* What the forward pass saved is far away by now. */
void kd_cpu_activation_backward(struct kd_queue *queue, const struct kd_op_activation_backward *a)
{
    (void)queue;
    enum { CHUNK = 1024 };
    for (int64_t from = 0; from < a->n; from += CHUNK) {
        int64_t to = from + CHUNK < a->n ? from + CHUNK : a->n;
        int64_t next = to + CHUNK < a->n ? to + CHUNK : a->n;
        kd_prefetch(a->saved, to, next);
        kd_prefetch(a->dy, to, next);
        kinds[a->activation].backward((const float *)a->dy + from, (const float *)a->saved + from,
                                      (float *)a->dx + from, to - from);
    }
}
