/* values.cuh - stored values: fp32, bf16 or fp16 in memory, float as soon as they are read.
 *
 * A kernel that reads or writes values is a template over the type that they are stored as, and is
 * chosen by the queue:
 *     kd_by_storage(queue, [&](auto stored) {
 *         using T = decltype(stored);
 *         kd_map<T>(queue, n, kd_all_aligned(a->x, a->y), forward<T>{(const T *)a->x, (T *)a->y});
 *     });
 * As many of them as fill 16 bytes, KD_GROUP<T>, are read or written at once where they lie at a
 * multiple of 16 bytes. */
#ifndef KD_KERNELS_CUDA_VALUES_CUH
#define KD_KERNELS_CUDA_VALUES_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "kernels/cuda/port.h"
#include "kernels/cuda/table.h"

template <class T> constexpr int KD_GROUP = 16 / (int)sizeof(T);

/* f(T()) with the type that the queue stores values as. */
template <class F> void kd_by_storage(const struct kd_queue *queue, const F &f)
{
    switch (queue->precision) {
    case KD_PRECISION_BF16:
        return f(__nv_bfloat16());
    case KD_PRECISION_FP16:
        return f(__half());
    default:
        return f(0.0f);
    }
}

/* ---- one value */

static __device__ __forceinline__ float kd_float(float x)
{
    return x;
}

static __device__ __forceinline__ float kd_float(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

static __device__ __forceinline__ float kd_float(__half x)
{
    return __half2float(x);
}

static __device__ __forceinline__ void kd_put(float *to, float x)
{
    *to = x;
}

static __device__ __forceinline__ void kd_put(__nv_bfloat16 *to, float x)
{
    *to = __float2bfloat16_rn(x);
}

static __device__ __forceinline__ void kd_put(__half *to, float x)
{
    *to = __float2half_rn(x);
}

/* As it would be read again. */
template <class T> __device__ __forceinline__ float kd_as_stored(float x)
{
    T stored;
    kd_put(&stored, x);
    return kd_float(stored);
}

/* ---- several: 1, or a multiple of a group */

template <int N> struct kd_floats {
    float x[N];
};

template <class T> struct alignas(16) kd_group {
    T x[KD_GROUP<T>];
};

template <int N, class T> __device__ __forceinline__ kd_floats<N> kd_load(const T *from)
{
    kd_floats<N> values;
    if constexpr (N == 1) {
        values.x[0] = kd_float(*from);
    } else {
        static_assert(N % KD_GROUP<T> == 0, "whole groups");
        KD_UNROLL
        for (int at = 0; at < N; at += KD_GROUP<T>) {
            kd_group<T> group = *reinterpret_cast<const kd_group<T> *>(from + at);
            KD_UNROLL
            for (int k = 0; k < KD_GROUP<T>; k++)
                values.x[at + k] = kd_float(group.x[k]);
        }
    }
    return values;
}

template <int N, class T>
__device__ __forceinline__ void kd_store(T *to, const kd_floats<N> &values)
{
    if constexpr (N == 1) {
        kd_put(to, values.x[0]);
    } else {
        static_assert(N % KD_GROUP<T> == 0, "whole groups");
        KD_UNROLL
        for (int at = 0; at < N; at += KD_GROUP<T>) {
            kd_group<T> group;
            KD_UNROLL
            for (int k = 0; k < KD_GROUP<T>; k++)
                kd_put(&group.x[k], values.x[at + k]);
            *reinterpret_cast<kd_group<T> *>(to + at) = group;
        }
    }
}

/* N neighbours that may lie anywhere. What a launch reads them from is at a multiple of 16 bytes
 * for all of its threads or for none. */
template <int N, class T> __device__ __forceinline__ kd_floats<N> kd_load_any(const T *from)
{
    if ((uintptr_t)from % 16 == 0)
        return kd_load<N>(from);
    kd_floats<N> values;
    KD_UNROLL
    for (int k = 0; k < N; k++)
        values.x[k] = kd_float(from[k]);
    return values;
}

/* As many bytes as there are values in a group: flags of theirs. */
template <int N> struct alignas(N) kd_bytes {
    uint8_t x[N];
};

/* Whether groups may be read at all of them; NULL may. */
template <class... Pointers> bool kd_all_aligned(const Pointers *...pointers)
{
    return (((uintptr_t)pointers % 16 == 0) && ...);
}

/* The same, and whether none is of two rows: they have n values each. */
template <class T, class... Pointers> bool kd_in_groups(int64_t n, const Pointers *...pointers)
{
    return n % KD_GROUP<T> == 0 && kd_all_aligned(pointers...);
}

#endif
