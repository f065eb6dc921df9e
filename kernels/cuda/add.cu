#include "kernels/cuda/map.cuh"

namespace
{

template <class T> struct add {
    const T *a, *b;
    T *y;

    template <int N> __device__ void at(int64_t i) const
    {
        kd_floats<N> left = kd_load<N>(a + i), right = kd_load<N>(b + i);
        for (int k = 0; k < N; k++)
            left.x[k] += right.x[k];
        kd_store(y + i, left);
    }
};

template <class T> struct add_row {
    const T *x;
    const float *row;
    T *y;
    int64_t columns;

    /* The elements of a group are of one row: columns are a multiple of it then. */
    template <int N> __device__ void at(int64_t i) const
    {
        kd_floats<N> v = kd_load<N>(x + i), more = kd_load<N>(row + kd_remainder(i, columns));
        for (int k = 0; k < N; k++)
            v.x[k] += more.x[k];
        kd_store(y + i, v);
    }
};

} // namespace

void kd_cuda_add(struct kd_queue *queue, const struct kd_op_add *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        kd_map<T>(queue, a->n, kd_all_aligned(a->a, a->b, a->y),
                  add<T>{(const T *)a->a, (const T *)a->b, (T *)a->y});
    });
}

void kd_cuda_add_row(struct kd_queue *queue, const struct kd_op_add_row *a)
{
    kd_by_storage(queue, [&](auto stored) {
        using T = decltype(stored);
        bool in_groups = kd_in_groups<T>(a->columns, a->x, a->row, a->y);
        kd_map<T>(queue, a->rows * a->columns, in_groups,
                  add_row<T>{(const T *)a->x, a->row, (T *)a->y, a->columns});
    });
}
