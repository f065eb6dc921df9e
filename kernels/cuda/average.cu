/* average.cu - the average of the weights, and the factor that clips a gradient. */
#include "kernels/cuda/map.cuh"

namespace
{

struct average {
    const float *x;
    float *y;
    const struct kd_hyper *hyper;

    template <int N> __device__ void at(int64_t i) const
    {
        float decay = hyper->average_decay;
        kd_floats<N> moving = kd_load<N>(y + i), now = kd_load<N>(x + i);
        for (int k = 0; k < N; k++)
            moving.x[k] = decay * moving.x[k] + (1.0f - decay) * now.x[k];
        kd_store(y + i, moving);
    }
};

/* One thread: the norm stays on the device. */
__global__ void clip(struct kd_op_clip a)
{
    double norm = sqrt(*a.sum_squares), most = (double)a.hyper->clip;
    *a.norm = (float)norm;
    *a.scale = most > 0.0 && norm > most ? (float)(most / norm) : 1.0f;
}

} // namespace

void kd_cuda_average(struct kd_queue *queue, const struct kd_op_average *a)
{
    kd_map(queue, a->n, kd_all_aligned(a->x, a->average), average{a->x, a->average, a->hyper});
}

void kd_cuda_clip(struct kd_queue *queue, const struct kd_op_clip *a)
{
    KD_LAUNCH(clip, 1, 1, 0, queue->stream, *a);
}
