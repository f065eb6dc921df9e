/* dropout.cu - a thread draws the block of random words that eight elements share (op_dense.h).
 * These are 16 apart, and so 16 threads draw for 128 elements and then tell each other, by votes of
 * the warp, what is kept: each does eight neighbours. */
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

/* Which of the thread's eight neighbours are kept, as bits: those of half h are voted on by the 16
 * threads that drew them. */
__device__ __forceinline__ unsigned kept_of(uint4 words, uint32_t threshold)
{
    int lane = (int)threadIdx.x % 32, mine = lane % APART * HALVES; /* of GROUP */
    unsigned kept = 0;
    KD_UNROLL
    for (int h = 0; h < HALVES; h++) {
        uint32_t half = kd_word(words, h / 2) >> 16 * (h % 2) & 0xFFFF;
        unsigned of_warp = __ballot_sync(0xFFFFFFFFu, half >= threshold);
        kept = h == mine / APART ? of_warp : kept;
    }
    return kept >> (lane / APART * APART + mine % APART);
}

template <class T> struct drop {
    const T *x;
    T *y;
    uint8_t *kept;
    float scale;

    /* Bit k of is_kept is that of element i + k. */
    template <int N> __device__ __forceinline__ void at(int64_t i, unsigned is_kept) const
    {
        kd_floats<N> v = kd_load<N>(x + i);
        kd_bytes<N> bytes;
        KD_UNROLL
        for (int k = 0; k < N; k++) {
            bytes.x[k] = is_kept >> k & 1;
            v.x[k] = bytes.x[k] ? v.x[k] * scale : 0.0f;
        }
        kd_store(y + i, v);
        *reinterpret_cast<kd_bytes<N> *>(kept + i) = bytes;
    }
};

/* n: threads that draw, per_sample of them a sample; whole warps come to the votes. */
template <class T>
__global__ void drop_all(struct kd_op_dropout a, int64_t per_sample, int64_t n, bool in_groups)
{
    uint32_t threshold = threshold_of(*a.rate);
    struct drop<T> drop = {
        (const T *)a.x, (T *)a.y, a.kept, scale_of(threshold)
    };
    uint64_t seed = kd_device_hash2(a.turn->seed, a.layer), step = (uint64_t)a.turn->step << 32;
    for (int64_t at = kd_thread_at(); at - threadIdx.x % 32 < n; at += kd_n_threads()) {
        int64_t sample = kd_quotient(kd_min(at, n - 1), per_sample),
                block = at - sample * per_sample;
        uint4 words = kd_device_philox(seed, (uint64_t)a.samples[sample], step | (uint64_t)block);
        unsigned kept = kept_of(words, threshold);
        int64_t i = block * HALVES, where = sample * a.size + i;
        if (in_groups && at < n && i < a.size)
            drop.template at<HALVES>(where, kept);
        else
            for (int k = 0; k < HALVES && at < n && i + k < a.size; k++)
                drop.template at<1>(where + k, kept >> k);
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
        kd_bytes<N> is_kept = *reinterpret_cast<const kd_bytes<N> *>(kept + i);
        KD_UNROLL
        for (int k = 0; k < N; k++)
            v.x[k] = is_kept.x[k] ? v.x[k] * scale : 0.0f;
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
        auto kernel = drop_all<decltype(stored)>;
        bool in_groups = a->size % HALVES == 0 && kd_all_aligned(a->x, a->y, a->kept);
        KD_LAUNCH(kernel, kd_blocks(n), KD_THREADS, 0, queue->stream, *a, per_sample, n, in_groups);
    });
}

void kd_cuda_dropout_backward(struct kd_queue *queue, const struct kd_op_dropout_backward *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(queue, a->n, kd_all_aligned(a->dy, a->kept, a->dx),
                  drop_backward<T>{(const T *)a->dy, a->kept, (T *)a->dx, a->rate});
    });
}
