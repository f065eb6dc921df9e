/* losses.cu - the losses over targets that are numbers: a pass that adds up and writes gradients,
 * and a block that ends the sums. */
#include "kernels/cuda/sums.cuh"
#include "kernels/cuda/table.h"

namespace
{

/* What both losses have. */
template <class T> struct targets {
    T *y;
    const float *t;
    int64_t rows, n_targets;
    const struct kd_turn *turn;
    const float *loss_scale; /* NULL: 1 */
    bool backward;

    __device__ float factor() const
    {
        double scale = loss_scale ? (double)*loss_scale : 1.0;
        return (float)(scale / ((double)n_targets * (double)turn->n_counted));
    }
};

template <class T> struct squared_errors : targets<T> {
    template <int N> __device__ void at(int64_t i, kd_pair &sums) const
    {
        kd_floats<N> v = kd_load<N>(this->y + i), wanted = kd_load<N>(this->t + i);
        float scale = 2.0f * this->factor();
        for (int k = 0; k < N; k++) {
            float error = v.x[k] - wanted.x[k];
            sums.a += (double)error * (double)error;
            v.x[k] = error * scale;
        }
        if (this->backward)
            kd_store(this->y + i, v);
    }
};

/* With e = e^-|y| the loss is max(y, 0) - y t + log(1 + e): no overflow at either end, and a NaN
 * stays one. */
template <class T> struct cross_entropies : targets<T> {
    template <int N> __device__ void at(int64_t i, kd_pair &sums) const
    {
        kd_floats<N> v = kd_load<N>(this->y + i), wanted = kd_load<N>(this->t + i);
        float scale = this->factor();
        for (int k = 0; k < N; k++) {
            float x = v.x[k], target = wanted.x[k], e = expf(-fabsf(x));
            sums.a += (double)((x < 0.0f ? 0.0f : x) - x * target + log1pf(e));
            sums.b += (x > 0.0f) == (target > 0.5f) && x == x ? 1.0 : 0.0;
            v.x[k] = ((x < 0.0f ? e : 1.0f) / (1.0f + e) - target) * scale;
        }
        if (this->backward)
            kd_store(this->y + i, v);
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

template <template <class> class Loss>
void run(struct kd_queue *queue, const struct kd_op_target_loss *a)
{
    int64_t n = a->rows * a->n_targets;
    if (n <= 0)
        return;
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        Loss<T> loss{
            {(T *)a->y, a->targets, a->rows, a->n_targets, a->turn, a->scale, a->backward}};
        kd_sum<T>(queue, n, kd_all_aligned(a->y, a->targets), loss,
                  add_loss{a->sums, a->rows, a->n_targets});
    });
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
