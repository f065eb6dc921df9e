/* losses.cu - the losses over targets that are numbers: a pass that adds up and writes gradients, and a block that ends the sums. */
#include "kernels/cuda/sums.cuh"
#include "kernels/cuda/table.h"

namespace
{

/* What both losses have. */
struct targets {
    float *y;
    const float *t;
    int64_t rows, n_targets;
    const struct kd_turn *turn;
    bool backward;

    __device__ float factor() const
    {
        return (float)(1.0 / ((double)n_targets * (double)turn->n_counted));
    }
};

struct squared_errors : targets {
    template <int N> __device__ void at(int64_t i, kd_pair &sums) const
    {
        kd_floats<N> v = kd_load<N>(y + i), wanted = kd_load<N>(t + i);
        float scale = 2.0f * factor();
        for (int k = 0; k < N; k++) {
            float error = v.x[k] - wanted.x[k];
            sums.a += (double)error * (double)error;
            v.x[k] = error * scale;
        }
        if (backward)
            kd_store(y + i, v);
    }
};

/* With e = e^-|y| the loss is max(y, 0) - y t + log(1 + e): no overflow at either end, and a NaN stays one. */
struct cross_entropies : targets {
    template <int N> __device__ void at(int64_t i, kd_pair &sums) const
    {
        kd_floats<N> v = kd_load<N>(y + i), wanted = kd_load<N>(t + i);
        float scale = factor();
        for (int k = 0; k < N; k++) {
            float x = v.x[k], target = wanted.x[k], e = expf(-fabsf(x));
            sums.a += (double)((x < 0.0f ? 0.0f : x) - x * target + log1pf(e));
            sums.b += (x > 0.0f) == (target > 0.5f) && x == x ? 1.0 : 0.0;
            v.x[k] = ((x < 0.0f ? e : 1.0f) / (1.0f + e) - target) * scale;
        }
        if (backward)
            kd_store(y + i, v);
    }
};

struct add_loss {
    struct kd_loss_sums *sums;
    int64_t rows, n_targets;

    __device__ void take(kd_pair pair) const
    {
        sums->loss += pair.a / (double)n_targets;
        sums->n_correct += (int64_t)pair.b;
        sums->n_top5 += (int64_t)pair.b;
        sums->n_counted += rows;
    }
};

template <class Loss, class Op> void run(struct kd_queue *queue, const Op *a)
{
    int64_t n = a->rows * a->n_targets;
    if (n <= 0)
        return;
    Loss loss{{a->y, a->targets, a->rows, a->n_targets, a->turn, a->backward}};
    kd_sum(queue, n, kd_all_aligned(a->y, a->targets), loss,
           add_loss{a->sums, a->rows, a->n_targets});
}

} // namespace

void kd_cuda_mse(struct kd_queue *queue, const struct kd_op_mse *a)
{
    run<squared_errors>(queue, a);
}

void kd_cuda_bce(struct kd_queue *queue, const struct kd_op_bce *a)
{
    run<cross_entropies>(queue, a);
}
