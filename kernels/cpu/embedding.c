#include <string.h>

#include "kernels/cpu/table.h"
#include "kernels/simd.h"

void kd_cpu_embedding(struct kd_queue *queue, const struct kd_op_embedding *a)
{
    (void)queue;
    size_t bytes = (size_t)a->columns * sizeof(float);
    for (int64_t i = 0; i < a->rows && bytes; i++)
        memcpy((float *)a->y + i * a->columns, a->table + a->tokens[i] * a->columns, bytes);
}

KD_SIMD static void add_rows(const int32_t *tokens, const float *restrict dy,
                             float *restrict dtable, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++) {
        float *restrict entry = dtable + tokens[i] * columns;
        for (int64_t j = 0; j < columns; j++)
            entry[j] += dy[i * columns + j];
    }
}

void kd_cpu_embedding_backward(struct kd_queue *queue, const struct kd_op_embedding_backward *a)
{
    (void)queue;
    size_t bytes = (size_t)(a->n_entries * a->columns) * sizeof *a->dtable;
    if (a->beta == 0.0f && bytes)
        memset(a->dtable, 0, bytes);
    add_rows(a->tokens, a->dy, a->dtable, a->rows, a->columns);
}
