#include <string.h>

#include "kernels/cpu/table.h"
#include "kernels/simd.h"

KD_SIMD static void add_rows(const float *x, float *sums, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            sums[j] += x[i * columns + j];
}

void kd_cpu_column_sum(struct kd_queue *queue, const struct kd_op_column_sum *a)
{
    (void)queue;
    if (a->columns == 0)
        return;
    if (a->beta == 0.0f)
        memset(a->sums, 0, (size_t)a->columns * sizeof *a->sums);
    add_rows(a->x, a->sums, a->rows, a->columns);
}

/* NaN and infinity are the floats whose exponent bits are all ones. */
KD_INLINE uint32_t nonfinite(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7F800000u) == 0x7F800000u;
}

KD_SIMD static uint32_t any_nonfinite(const float *x, int64_t n)
{
    uint32_t any = 0;
    for (int64_t i = 0; i < n; i++)
        any |= nonfinite(x[i]);
    return any;
}

/* Block by block: a check of a whole block vectorises, a search does not. */
void kd_cpu_find_nonfinite(struct kd_queue *queue, const struct kd_op_find_nonfinite *a)
{
    (void)queue;
    enum { BLOCK = 1024 };
    *a->at = -1;
    for (int64_t start = 0; start < a->n; start += BLOCK) {
        int64_t end = start + BLOCK < a->n ? start + BLOCK : a->n;
        if (!any_nonfinite(a->x + start, end - start))
            continue;
        int64_t i = start;
        while (!nonfinite(a->x[i]))
            i++;
        *a->at = i;
        return;
    }
}
