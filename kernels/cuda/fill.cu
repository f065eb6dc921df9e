/* fill.cu - arrays of one value, of another's, and of uniform numbers. */
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/philox.cuh"

namespace
{

struct fill {
    float *x;
    float value;

    template <int N> __device__ void at(int64_t i) const
    {
        kd_floats<N> all;
        for (int k = 0; k < N; k++)
            all.x[k] = value;
        kd_store(x + i, all);
    }
};

struct init_uniform {
    float *x;
    float bound;
    uint64_t seed, stream;

    /* 24 bits, doubled and shifted by one: exact in a float, so only the product is rounded. */
    __device__ float number(uint32_t word) const
    {
        return bound * ((float)(int32_t)(word >> 8) * 0x1p-23f - 1.0f);
    }

    /* Four elements that begin at a multiple of four are the words of one block. */
    template <int N> __device__ void at(int64_t i) const
    {
        uint4 words = kd_device_philox(seed, stream, (uint64_t)i / 4);
        kd_floats<N> all;
        for (int k = 0; k < N; k++)
            all.x[k] = number(kd_word(words, (int)(i % 4) + k));
        kd_store(x + i, all);
    }
};

} // namespace

void kd_cuda_fill(struct kd_queue *queue, const struct kd_op_fill *a)
{
    kd_map(queue, a->n, kd_all_aligned(a->x), fill{a->x, a->value});
}

void kd_cuda_copy(struct kd_queue *queue, const struct kd_op_copy *a)
{
    if (a->n > 0)
        KD_CUDA(cudaMemcpyAsync(a->y, a->x, (size_t)a->n * sizeof(float), cudaMemcpyDeviceToDevice,
                                queue->stream));
}

void kd_cuda_init_uniform(struct kd_queue *queue, const struct kd_op_init_uniform *a)
{
    kd_map(queue, a->n, kd_all_aligned(a->x), init_uniform{a->x, a->bound, a->seed, a->stream});
}
