/* dropout.cu - a thread does the eight elements that share a block of random words (op_dense.h): 16 apart, so that neighbouring
 * threads have neighbouring elements. */
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/philox.cuh"
#include "kernels/cuda/table.h"

namespace
{

constexpr int HALVES = 8, APART = 16, GROUP = HALVES * APART;

__device__ __forceinline__ uint32_t threshold_of(float rate)
{
    return (uint32_t)(rate * 65536.0f); /* exact: a power of two */
}

__device__ __forceinline__ float scale_of(uint32_t threshold)
{
    return 65536.0f / (float)(65536u - threshold);
}

template <class T> __global__ void drop(struct kd_op_dropout a, int64_t per_sample, int64_t n)
{
    const T *x = (const T *)a.x;
    T *y = (T *)a.y;
    uint32_t threshold = threshold_of(*a.rate);
    float scale = scale_of(threshold);
    uint64_t seed = kd_device_hash2(a.turn->seed, a.layer), step = (uint64_t)a.turn->step << 32;
    for (int64_t at = kd_thread_at(); at < n; at += kd_n_threads()) {
        int64_t sample = kd_quotient(at, per_sample), block = kd_remainder(at, per_sample);
        uint4 words = kd_device_philox(seed, (uint64_t)a.samples[sample], step | (uint64_t)block);
        int64_t first = block / APART * GROUP + block % APART;
        KD_UNROLL
        for (int h = 0; h < HALVES; h++) {
            int64_t i = first + h * APART, where = sample * a.size + i;
            if (i >= a.size)
                break;
            bool is_kept = (kd_word(words, h / 2) >> 16 * (h % 2) & 0xFFFF) >= threshold;
            kd_put(&y[where], is_kept ? kd_float(x[where]) * scale : 0.0f);
            a.kept[where] = is_kept;
        }
    }
}

template <class T> struct drop_backward {
    const T *dy;
    const uint8_t *kept;
    T *dx;
    const float *rate;

    template <int N> __device__ void at(int64_t i) const
    {
        float scale = scale_of(threshold_of(*rate));
        kd_floats<N> v = kd_load<N>(dy + i);
        KD_UNROLL
        for (int k = 0; k < N; k++)
            v.x[k] = kept[i + k] ? v.x[k] * scale : 0.0f;
        kd_store(dx + i, v);
    }
};

} // namespace

void kd_cuda_dropout(struct kd_queue *queue, const struct kd_op_dropout *a)
{
    int64_t per_sample = (a->size + GROUP - 1) / GROUP * APART, n = per_sample * a->n_samples;
    if (n <= 0)
        return;
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = drop<decltype(stored)>;
        KD_LAUNCH(kernel, kd_blocks(n), KD_THREADS, 0, queue->stream, *a, per_sample, n);
    });
}

void kd_cuda_dropout_backward(struct kd_queue *queue, const struct kd_op_dropout_backward *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(queue, a->n, kd_all_aligned(a->dy, a->dx),
                  drop_backward<T>{(const T *)a->dy, a->kept, (T *)a->dx, a->rate});
    });
}
