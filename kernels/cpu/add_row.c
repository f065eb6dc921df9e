#include "kernels/cpu/table.h"
#include "kernels/simd.h"

KD_SIMD static void add_row(const float *x, const float *row, float *y, int64_t rows,
                            int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            y[i * columns + j] = x[i * columns + j] + row[j];
}

void kd_cpu_add_row(struct kd_queue *queue, const struct kd_op_add_row *a)
{
    (void)queue;
    add_row(a->x, a->row, a->y, a->rows, a->columns);
}
