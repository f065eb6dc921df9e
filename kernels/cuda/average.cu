/* average.cu - the average of the weights, and the factors that clip a gradient and take a loss's
 * scale out of it. */
#include "kernels/cuda/update.cuh"

namespace
{

struct average {
    const float *x;
    float *y;
    const struct kd_hyper *hyper;
    const float *scale;

    template <int N> __device__ void at(int64_t i) const
    {
        if (kd_is_left_out(scale))
            return;
        float decay = hyper->average_decay;
        kd_floats<N> moving = kd_load<N>(y + i), now = kd_load<N>(x + i);
        for (int k = 0; k < N; k++)
            moving.x[k] = decay * moving.x[k] + (1.0f - decay) * now.x[k];
        kd_store(y + i, moving);
    }
};

__device__ double clipped(double norm, double most)
{
    return most > 0.0 && norm > most ? most / norm : 1.0;
}

/* One thread: the norm stays on the device. */
__global__ void clip(struct kd_op_clip a)
{
    double norm = sqrt(*a.sum_squares);
    *a.norm = (float)norm;
    *a.scale = (float)clipped(norm, (double)a.hyper->clip);
}

__device__ void move_on(struct kd_loss_scale *loss, bool is_good)
{
    loss->n_good = is_good              ? (loss->n_good < 0 ? 1 : loss->n_good + 1)
                   : loss->scale > 1.0f ? 0
                                        : -1;
    if (!is_good && loss->scale > 1.0f)
        loss->scale *= 0.5f;
    loss->n_left_out += !is_good;
    if (loss->n_good < KD_LOSS_SCALE_STEPS)
        return;
    loss->scale = loss->scale < KD_LOSS_SCALE_MOST ? 2.0f * loss->scale : loss->scale;
    loss->n_good = 0;
}

/* One thread. */
__global__ void unscale(struct kd_op_unscale a)
{
    double scale = (double)a.loss->scale, norm = sqrt(*a.sum_squares) / scale;
    bool is_good = isfinite(*a.sum_squares);
    *a.norm = (float)norm;
    *a.scale = is_good ? (float)(clipped(norm, (double)a.hyper->clip) / scale) : -1.0f;
    a.hyper->step -= a.loss->n_left_out;
    move_on(a.loss, is_good);
}

} // namespace

void kd_cuda_average(struct kd_queue *queue, const struct kd_op_average *a)
{
    kd_map(queue, a->n, kd_all_aligned(a->x, a->average),
           average{a->x, a->average, a->hyper, a->scale});
}

void kd_cuda_unscale(struct kd_queue *queue, const struct kd_op_unscale *a)
{
    KD_LAUNCH(unscale, 1, 1, 0, queue->stream, *a);
}

void kd_cuda_clip(struct kd_queue *queue, const struct kd_op_clip *a)
{
    KD_LAUNCH(clip, 1, 1, 0, queue->stream, *a);
}
