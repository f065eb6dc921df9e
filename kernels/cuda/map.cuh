/* map.cuh - one thing done to every element of flat arrays: four at a time (16 bytes of floats) where all arrays allow it.
 *
 * What is done is a struct with its arrays and numbers in it:
 *     struct add {
 *         const float *a, *b;
 *         float *y;
 *         template <int N> __device__ void at(int64_t i) const
 *         {
 *             kd_floats<N> a_ = kd_load<N>(a + i), b_ = kd_load<N>(b + i);
 *             for (int k = 0; k < N; k++)
 *                 a_.x[k] += b_.x[k];
 *             kd_store(y + i, a_);
 *         }
 *     };
 *     kd_map(queue, n, kd_all_aligned(a->a, a->b, a->y), add{a->a, a->b, a->y});
 * at<N>(i) does elements i .. i + N - 1. Each element is done once, in any order. */
#ifndef KD_KERNELS_CUDA_MAP_CUH
#define KD_KERNELS_CUDA_MAP_CUH

#include "kernels/cuda/port.h"
#include "kernels/cuda/table.h"

template <int N> struct kd_floats {
    float x[N];
};

template <int N> __device__ __forceinline__ kd_floats<N> kd_load(const float *from)
{
    return kd_floats<N>{{*from}};
}

template <> __device__ __forceinline__ kd_floats<4> kd_load<4>(const float *from)
{
    float4 v = *reinterpret_cast<const float4 *>(from);
    return kd_floats<4>{{v.x, v.y, v.z, v.w}};
}

static __device__ __forceinline__ void kd_store(float *to, kd_floats<1> values)
{
    *to = values.x[0];
}

static __device__ __forceinline__ void kd_store(float *to, kd_floats<4> values)
{
    *reinterpret_cast<float4 *>(to) =
        make_float4(values.x[0], values.x[1], values.x[2], values.x[3]);
}

/* Whether float4 may be read at all of them; NULL may. */
template <class... Pointers> bool kd_all_aligned(const Pointers *...pointers)
{
    return (((uintptr_t)pointers % 16 == 0) && ...);
}

template <class F> __global__ void kd_map_kernel(F f, int64_t n, bool by_four)
{
    int64_t step = kd_n_threads(), n_groups = by_four ? n / 4 : 0;
    for (int64_t group = kd_thread_at(); group < n_groups; group += step)
        f.template at<4>(4 * group);
    for (int64_t i = 4 * n_groups + kd_thread_at(); i < n; i += step)
        f.template at<1>(i);
}

template <class F> void kd_map(struct kd_queue *queue, int64_t n, bool by_four, F f)
{
    if (n <= 0)
        return;
    auto kernel = kd_map_kernel<F>;
    KD_LAUNCH(kernel, kd_blocks(by_four ? (n + 3) / 4 : n), KD_THREADS, 0, queue->stream, f, n,
              by_four);
}

#endif
