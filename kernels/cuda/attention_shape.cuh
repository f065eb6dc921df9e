/* attention_shape.cuh - where the rows of causal attention stand (op_sequence.h), for all ways to
 * compute it. */
#ifndef KD_KERNELS_CUDA_ATTENTION_SHAPE_CUH
#define KD_KERNELS_CUDA_ATTENTION_SHAPE_CUH

#include "kernels/cuda/values.cuh"

/* One head's rows of one kind: element i of row t at x[t stride + i]. */
template <class T> struct kd_head_rows {
    T *x;
    int64_t stride;
};

/* What a block of the backward pass sees of its head. */
template <class T> struct kd_head {
    kd_head_rows<const T> q, k, v, dy;
};

/* What a block works on. */
struct kd_attention_place {
    int64_t sample, head, first; /* left row */
    int64_t part;                /* first number of the head that it writes */
};

struct kd_attention_shape {
    int64_t n, length, n_heads, size;

    /* kind: 0, 1, 2 for q, k, v. */
    template <class T>
    __device__ kd_head_rows<T> of_qkv(T *qkv, const kd_attention_place &place, int kind) const
    {
        int64_t stride = 3 * n_heads * size;
        return {qkv + place.sample * length * stride + (kind * n_heads + place.head) * size,
                stride};
    }

    template <class T> __device__ kd_head_rows<T> of_y(T *y, const kd_attention_place &place) const
    {
        int64_t stride = n_heads * size;
        return {y + place.sample * length * stride + place.head * size, stride};
    }

    template <class T>
    __device__ kd_head<T> head(const T *qkv, const T *dy, const kd_attention_place &place) const
    {
        return {of_qkv(qkv, place, 0), of_qkv(qkv, place, 1), of_qkv(qkv, place, 2),
                of_y(dy, place)};
    }

    /* Where the row's log_sum and the like stand. */
    __device__ int64_t row_at(const kd_attention_place &place, int64_t t) const
    {
        return (place.sample * n_heads + place.head) * length + t;
    }
};

#endif
