/* augment.cu - images cropped, flipped and cut out, each element by itself; and mixup. */
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/philox.cuh"
#include "kernels/cuda/table.h"

namespace
{

__device__ __forceinline__ int64_t below(uint32_t word, int64_t n)
{
    return (int64_t)((uint64_t)word * (uint64_t)n >> 32);
}

/* What happens to an image (op_data.h). */
struct fate {
    int64_t down, right, hole_row, hole_column;
    bool is_flipped;
};

__device__ struct fate fate_of(const struct kd_op_augment &a, uint64_t seed, int64_t sample)
{
    uint4 words = kd_device_philox(seed, (uint64_t)sample, (uint64_t)a.turn->step << 32);
    int64_t middle = below(words.w, a.h * a.w);
    struct fate fate;
    fate.down = below(words.x, 2 * a.crop + 1) - a.crop;
    fate.right = below(words.y, 2 * a.crop + 1) - a.crop;
    fate.is_flipped = a.flip && words.z >> 31;
    fate.hole_row = middle / a.w - a.cutout / 2;
    fate.hole_column = middle % a.w - a.cutout / 2;
    return fate;
}

/* The element at y's row and column: it lies elsewhere in x, or is 0. */
template <class T>
__device__ float moved(const struct kd_op_augment &a, const T *image, const struct fate &fate,
                       int64_t row, int64_t column, int64_t channel)
{
    if (row >= fate.hole_row && row < fate.hole_row + a.cutout && column >= fate.hole_column &&
        column < fate.hole_column + a.cutout)
        return 0.0f;
    int64_t from_row = row + fate.down;
    int64_t from_column = (fate.is_flipped ? a.w - 1 - column : column) + fate.right;
    if (from_row < 0 || from_row >= a.h || from_column < 0 || from_column >= a.w)
        return 0.0f;
    return kd_float(image[(from_row * a.w + from_column) * a.channels + channel]);
}

/* A block does a part of one image: the fate is found once a thread. */
template <class T> __global__ void augment(struct kd_op_augment a, int64_t n_parts)
{
    const T *x = (const T *)a.x;
    T *y = (T *)a.y;
    int64_t image = blockIdx.x / n_parts, part = blockIdx.x % n_parts;
    int64_t size = a.h * a.w * a.channels, step = n_parts * blockDim.x;
    uint64_t seed = kd_device_hash2(a.turn->seed, KD_AUGMENT_KEY);
    struct fate fate = fate_of(a, seed, a.samples[image]);
    for (int64_t j = part * blockDim.x + threadIdx.x; j < size; j += step) {
        int64_t pixel = kd_quotient(j, a.channels), row = kd_quotient(pixel, a.w);
        kd_put(&y[image * size + j],
               moved(a, x + image * size, fate, row, pixel - row * a.w, j - pixel * a.channels));
    }
}

template <class T> struct mix {
    T *x;
    const T *other;
    const struct kd_turn *turn;

    template <int N> __device__ void at(int64_t i) const
    {
        float share = turn->mix;
        kd_floats<N> v = kd_load<N>(x + i), more = kd_load<N>(other + i);
        for (int k = 0; k < N; k++)
            v.x[k] = (1.0f - share) * v.x[k] + share * more.x[k];
        kd_store(x + i, v);
    }
};

} // namespace

void kd_cuda_augment(struct kd_queue *queue, const struct kd_op_augment *a)
{
    int64_t size = a->h * a->w * a->channels;
    int64_t n_parts = kd_min((size + 4 * KD_THREADS - 1) / (4 * KD_THREADS), 64);
    if (size <= 0 || a->n <= 0)
        return;
    kd_by_storage(queue, [&](auto stored) {
        auto kernel = augment<decltype(stored)>;
        KD_LAUNCH(kernel, (unsigned)(a->n * n_parts), KD_THREADS, 0, queue->stream, *a, n_parts);
    });
}

void kd_cuda_mix(struct kd_queue *queue, const struct kd_op_mix *a)
{
    auto by = [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(queue, a->n, kd_all_aligned(a->x, a->other),
                  mix<T>{(T *)a->x, (const T *)a->other, a->turn});
    };
    if (a->of_floats)
        by(0.0f);
    else
        kd_by_storage(queue, by);
}
