/* add_layernorm.c - the two ops, one after the other on as many rows as stay in the first cache:
 * their bits. */
#include "kernels/cpu/table.h"

enum { PART_FLOATS = 2048 };

/* The layernorm of some rows of the sum. */
static struct kd_op_layernorm part_of(const struct kd_op_add_layernorm *a, int64_t first,
                                      int64_t rows)
{
    int64_t at = first * a->columns;
    return (struct kd_op_layernorm){.x = (const float *)a->sum + at,
                                    .weight = a->weight,
                                    .bias = a->bias,
                                    .y = (float *)a->y + at,
                                    .saved = a->saved + 2 * first,
                                    .rows = rows,
                                    .columns = a->columns,
                                    .epsilon = a->epsilon};
}

void kd_cpu_add_layernorm(struct kd_queue *queue, const struct kd_op_add_layernorm *a)
{
    int64_t some = a->columns > 0 && a->columns < PART_FLOATS ? PART_FLOATS / a->columns : 1;
    for (int64_t first = 0; first < a->rows; first += some) {
        int64_t rows = first + some < a->rows ? some : a->rows - first, at = first * a->columns;
        struct kd_op_layernorm norm = part_of(a, first, rows);
        kd_cpu_add(queue, &(struct kd_op_add){.a = (const float *)a->a + at,
                                              .b = (const float *)a->b + at,
                                              .y = (float *)a->sum + at,
                                              .n = rows * a->columns});
        kd_cpu_layernorm(queue, &norm);
    }
}
