#include "trainer/data/table.h"

#include <stdlib.h>

#include "kernels/device.h"

void kd_table_release(struct kd_table *table)
{
    kd_mapping_close(&table->mapping);
    kd_arr_release(&table->parts);
    free(table->owned);
    free(table->labels);
    free(table->targets);
    free(table->max_label_at);
    *table = (struct kd_table){0};
}

void kd_table_own(struct kd_table *table, void *memory, int64_t bytes_each)
{
    table->owned = memory;
    table->source = memory;
    table->stride = bytes_each;
    table->planes = 1;
    table->parts.n = 0;
    kd_arr_push(&table->parts, (struct kd_table_part){0, 0});
}

void kd_table_add_part(struct kd_table *table, size_t file, int64_t header, int64_t n)
{
    table->source = table->mapping.base;
    kd_arr_push(&table->parts,
                (struct kd_table_part){table->n, table->mapping.files.items[file].at + header});
    table->n += n;
}

int64_t kd_table_at(const struct kd_table *table, int64_t i)
{
    size_t low = 0, high = table->parts.n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (table->parts.items[middle].first <= i)
            low = middle;
        else
            high = middle;
    }
    return table->parts.items[low].at + (i - table->parts.items[low].first) * table->stride;
}

void kd_table_floats(const struct kd_table *table, const int32_t *rows, int64_t n, float *out)
{
    const struct kd_device *cpu = kd_device_find("cpu", NULL);
    int64_t *at = KD_NEW_ARRAY(int64_t, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        at[i] = kd_table_at(table, rows[i]);
    struct kd_call call = KD_CALL(
        gather, .source = table->source, .element = table->element, .rows = at, .n = n, .stride = 1,
        .size = kd_shape_count(table->shape), .planes = table->planes, .y = out);
    kd_call_run(&call, cpu->ops, NULL);
    free(at);
}
