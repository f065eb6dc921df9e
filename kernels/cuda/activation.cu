#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/map.cuh"

namespace
{

template <class T> struct forward {
    const T *x;
    T *y;
    enum kd_activation f;

    template <int N> __device__ void at(int64_t i) const
    {
        kd_floats<N> v = kd_load<N>(x + i);
        for (int k = 0; k < N; k++)
            v.x[k] = kd_activate(f, v.x[k]);
        kd_store(y + i, v);
    }
};

template <class T> struct backward {
    const T *dy, *saved;
    T *dx;
    enum kd_activation f;

    /* relu's gradient is chosen, not multiplied: an infinite one must not become a NaN where
     * nothing passes. */
    __device__ float of(float gradient, float s) const
    {
        if (f == KD_ACTIVATION_RELU)
            return s > 0.0f ? gradient : 0.0f;
        return gradient * kd_derivative(f, s);
    }

    template <int N> __device__ void at(int64_t i) const
    {
        kd_floats<N> v = kd_load<N>(dy + i), s = kd_load<N>(saved + i);
        for (int k = 0; k < N; k++)
            v.x[k] = of(v.x[k], s.x[k]);
        kd_store(dx + i, v);
    }
};

} // namespace

void kd_cuda_activation(struct kd_queue *queue, const struct kd_op_activation *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(queue, a->n, kd_all_aligned(a->x, a->y),
                  forward<T>{(const T *)a->x, (T *)a->y, a->activation});
    });
}

void kd_cuda_activation_backward(struct kd_queue *queue, const struct kd_op_activation_backward *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(queue, a->n, kd_all_aligned(a->dy, a->saved, a->dx),
                  backward<T>{(const T *)a->dy, (const T *)a->saved, (T *)a->dx, a->activation});
    });
}
