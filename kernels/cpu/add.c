#include "kernels/cpu/table.h"
#include "kernels/simd.h"

KD_SIMD static void add(const float *a, const float *b, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

void kd_cpu_add(struct kd_queue *queue, const struct kd_op_add *a)
{
    (void)queue;
    add(a->a, a->b, a->y, a->n);
}
