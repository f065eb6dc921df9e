/* lamb.cu - both passes of LAMB (op_update.h). Norms of a range are sums over its chunks, in their
 * order. */
#include "kernels/cuda/sums.cuh"
#include "kernels/cuda/table.h"
#include "kernels/cuda/update.cuh"

namespace
{

struct direction {
    const float *p;
    float *u, *m, *v;
    const struct kd_hyper *hyper;
    const float *scale;
    float beta1, beta2, epsilon, c1, root, decay, factor;
    kd_pair norms; /* of the thread's elements: the squares of p and of u */

    __device__ void begin(const struct kd_chunk &chunk)
    {
        beta1 = hyper->beta1;
        beta2 = hyper->beta2;
        epsilon = hyper->epsilon;
        c1 = 1.0f / kd_correction(beta1, hyper->step);
        root = 1.0f / sqrtf(kd_correction(beta2, hyper->step));
        decay = chunk.decay ? hyper->weight_decay : 0.0f;
        factor = kd_scale_of(scale);
        norms = {0.0, 0.0};
    }

    template <int N> __device__ void at(int64_t i)
    {
        kd_floats<N> weight = kd_load<N>(p + i), step = kd_load<N>(u + i);
        kd_floats<N> first = kd_load<N>(m + i), second = kd_load<N>(v + i);
        for (int k = 0; k < N; k++) {
            float x = step.x[k] * factor;
            first.x[k] = beta1 * first.x[k] + (1.0f - beta1) * x;
            second.x[k] = beta2 * second.x[k] + (1.0f - beta2) * x * x;
            step.x[k] =
                first.x[k] * c1 / (sqrtf(second.x[k]) * root + epsilon) + decay * weight.x[k];
            norms.a += (double)weight.x[k] * (double)weight.x[k];
            norms.b += (double)step.x[k] * (double)step.x[k];
        }
        kd_store(m + i, first);
        kd_store(v + i, second);
        kd_store(u + i, step);
    }
};

__global__ void direct(struct direction f, const struct kd_device_range *ranges, int n_ranges,
                       bool is_aligned, kd_pair *of_chunks)
{
    if (kd_is_left_out(f.scale))
        return; /* its norms are anything, and left out as well */
    struct kd_chunk chunk = kd_chunk_of(ranges, n_ranges, blockIdx.x);
    f.begin(chunk);
    kd_do_chunk(f, chunk, is_aligned);
    kd_pair norms = kd_block_sums(f.norms);
    if (threadIdx.x == 0)
        of_chunks[blockIdx.x] = norms;
}

/* A block for each range. */
__global__ void sum_norms(const struct kd_device_range *ranges, const kd_pair *of_chunks,
                          double *norms)
{
    struct kd_device_range range = ranges[blockIdx.x];
    int64_t n = (range.n + KD_CHUNK - 1) / KD_CHUNK;
    kd_pair mine = {0.0, 0.0};
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
        mine.a += of_chunks[range.first_chunk + i].a;
        mine.b += of_chunks[range.first_chunk + i].b;
    }
    mine = kd_block_sums(mine);
    if (threadIdx.x == 0) {
        norms[2 * blockIdx.x] = mine.a;
        norms[2 * blockIdx.x + 1] = mine.b;
    }
}

struct apply {
    float *p;
    const float *u;
    const double *norms;
    const struct kd_hyper *hyper;
    const float *scale;
    float rate;

    /* Tensors that do not decay are biases and scales: their steps are Adam's. */
    __device__ void begin(const struct kd_chunk &chunk)
    {
        double weight = sqrt(norms[2 * chunk.range]), step = sqrt(norms[2 * chunk.range + 1]);
        double ratio = chunk.decay && weight > 0.0 && step > 0.0 ? weight / step : 1.0;
        rate = (float)((double)hyper->lr * ratio);
    }

    template <int N> __device__ void at(int64_t i)
    {
        kd_floats<N> to = kd_load<N>(p + i), step = kd_load<N>(u + i);
        for (int k = 0; k < N; k++)
            to.x[k] -= rate * step.x[k];
        kd_store(p + i, to);
    }
};

} // namespace

void kd_cuda_lamb_direction(struct kd_queue *queue, const struct kd_op_lamb_direction *a)
{
    if (a->n_ranges <= 0)
        return;
    const struct kd_range_table *table = kd_range_table_get(queue, a->ranges, a->n_ranges);
    size_t bytes = (size_t)table->n_chunks * sizeof(kd_pair) + 1;
    kd_pair *of_chunks = (kd_pair *)kd_cuda_scratch(queue, bytes);
    struct direction f = {};
    f.p = a->parameters;
    f.u = a->gradients;
    f.m = a->state[0];
    f.v = a->state[1];
    f.hyper = a->hyper;
    f.scale = a->scale;
    if (table->n_chunks > 0)
        KD_LAUNCH(direct, (unsigned)table->n_chunks, KD_THREADS, 0, queue->stream, f, table->ranges,
                  a->n_ranges,
                  kd_all_aligned(a->parameters, a->gradients, a->state[0], a->state[1]), of_chunks);
    KD_LAUNCH(sum_norms, (unsigned)a->n_ranges, KD_THREADS, 0, queue->stream, table->ranges,
              of_chunks, a->norms);
}

void kd_cuda_lamb_apply(struct kd_queue *queue, const struct kd_op_lamb_apply *a)
{
    kd_update(queue, a->ranges, a->n_ranges, kd_all_aligned(a->parameters, a->direction),
              apply{a->parameters, a->direction, a->norms, a->hyper, a->scale, 0.0f});
}
