/* optimizers.cu - sgd, adamw and lion: each one launch over the arena. op_update.h has the
 * equations. */
#include "kernels/cuda/table.h"
#include "kernels/cuda/update.cuh"

namespace
{

/* What all of them have: the arrays of an update, and the factors that a thread reads once. */
struct arena {
    float *p;
    const float *g;
    float *m, *v;
    const struct kd_hyper *hyper;
    const float *scale;
    float keep, lr, factor; /* of begin */

    __device__ void begin_arena(const struct kd_chunk &chunk)
    {
        keep = kd_keep_of(hyper, chunk.decay);
        lr = hyper->lr;
        factor = kd_scale_of(scale);
    }
};

struct arena arena_of(const struct kd_op_update *a)
{
    struct arena made = {};
    made.p = a->parameters;
    made.g = a->gradients;
    made.m = a->state[0];
    made.v = a->state[1];
    made.hyper = a->hyper;
    made.scale = a->scale;
    return made;
}

struct sgd : arena {
    float momentum;
    bool nesterov;

    __device__ void begin(const struct kd_chunk &chunk)
    {
        begin_arena(chunk);
        momentum = m ? hyper->momentum : 0.0f;
        nesterov = hyper->nesterov;
    }

    template <int N> __device__ void at(int64_t i)
    {
        kd_floats<N> to = kd_load<N>(p + i), step = kd_load<N>(g + i);
        for (int k = 0; k < N; k++)
            step.x[k] *= factor;
        if (momentum != 0.0f) {
            kd_floats<N> gradient = step, moving = kd_load<N>(m + i);
            for (int k = 0; k < N; k++) {
                moving.x[k] = momentum * moving.x[k] + gradient.x[k];
                step.x[k] = nesterov ? gradient.x[k] + momentum * moving.x[k] : moving.x[k];
            }
            kd_store(m + i, moving);
        }
        for (int k = 0; k < N; k++)
            to.x[k] = to.x[k] * keep - lr * step.x[k];
        kd_store(p + i, to);
    }
};

/* The two bias corrections are moved out of the loop:
 *   lr (m / c1) / (sqrt(v / c2) + eps) = (lr / c1) m / (sqrt(v) / sqrt(c2) + eps). */
struct adamw : arena {
    float beta1, beta2, epsilon, rate, root;

    __device__ void begin(const struct kd_chunk &chunk)
    {
        begin_arena(chunk);
        beta1 = hyper->beta1;
        beta2 = hyper->beta2;
        epsilon = hyper->epsilon;
        rate = lr / kd_correction(beta1, hyper->step);
        root = 1.0f / sqrtf(kd_correction(beta2, hyper->step));
    }

    template <int N> __device__ void at(int64_t i)
    {
        kd_floats<N> to = kd_load<N>(p + i), first = kd_load<N>(m + i), second = kd_load<N>(v + i);
        kd_floats<N> gradient = kd_load<N>(g + i);
        for (int k = 0; k < N; k++) {
            float x = gradient.x[k] * factor;
            first.x[k] = beta1 * first.x[k] + (1.0f - beta1) * x;
            second.x[k] = beta2 * second.x[k] + (1.0f - beta2) * x * x;
            to.x[k] = to.x[k] * keep - rate * first.x[k] / (sqrtf(second.x[k]) * root + epsilon);
        }
        kd_store(m + i, first);
        kd_store(v + i, second);
        kd_store(p + i, to);
    }
};

/* The sign of 0 is 0; that of a NaN or an infinity is a NaN, or nobody would hear of a gradient
 * that blew up. */
__device__ __forceinline__ float sign(float x)
{
    return (x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f) + (x - x);
}

struct lion : arena {
    float beta1, beta2;

    __device__ void begin(const struct kd_chunk &chunk)
    {
        begin_arena(chunk);
        beta1 = hyper->beta1;
        beta2 = hyper->beta2;
    }

    template <int N> __device__ void at(int64_t i)
    {
        kd_floats<N> to = kd_load<N>(p + i), moving = kd_load<N>(m + i);
        kd_floats<N> gradient = kd_load<N>(g + i);
        for (int k = 0; k < N; k++) {
            float x = gradient.x[k] * factor;
            to.x[k] = to.x[k] * keep - lr * sign(beta1 * moving.x[k] + (1.0f - beta1) * x);
            moving.x[k] = beta2 * moving.x[k] + (1.0f - beta2) * x;
        }
        kd_store(m + i, moving);
        kd_store(p + i, to);
    }
};

template <class Optimizer> void run(struct kd_queue *queue, const struct kd_op_update *a)
{
    Optimizer optimizer = {};
    static_cast<struct arena &>(optimizer) = arena_of(a);
    bool is_aligned = kd_all_aligned(a->parameters, a->gradients, a->state[0], a->state[1]);
    kd_update(queue, a->ranges, a->n_ranges, is_aligned, optimizer);
}

} // namespace

void kd_cuda_sgd(struct kd_queue *queue, const struct kd_op_update *a)
{
    run<sgd>(queue, a);
}

void kd_cuda_adamw(struct kd_queue *queue, const struct kd_op_update *a)
{
    run<adamw>(queue, a);
}

void kd_cuda_lion(struct kd_queue *queue, const struct kd_op_update *a)
{
    run<lion>(queue, a);
}
