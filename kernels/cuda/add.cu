#include "kernels/cuda/map.cuh"

namespace
{

struct add {
    const float *a, *b;
    float *y;

    template <int N> __device__ void at(int64_t i) const
    {
        kd_floats<N> left = kd_load<N>(a + i), right = kd_load<N>(b + i);
        for (int k = 0; k < N; k++)
            left.x[k] += right.x[k];
        kd_store(y + i, left);
    }
};

struct add_row {
    const float *x, *row;
    float *y;
    int64_t columns;

    /* Four elements are of one row: columns are a multiple of four then. */
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
    kd_map(queue, a->n, kd_all_aligned(a->a, a->b, a->y), add{a->a, a->b, a->y});
}

void kd_cuda_add_row(struct kd_queue *queue, const struct kd_op_add_row *a)
{
    bool by_four = kd_all_aligned(a->x, a->row, a->y) && a->columns % 4 == 0;
    kd_map(queue, a->rows * a->columns, by_four, add_row{a->x, a->row, a->y, a->columns});
}
