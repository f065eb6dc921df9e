#include "kernels/cuda/ranges.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/memory.h"

static bool is_made_of(const struct kd_range_table *table, const struct kd_range *ranges,
                       int n_ranges)
{
    if (table->n_ranges != n_ranges)
        return false;
    for (int r = 0; r < n_ranges; r++)
        if (table->seen[r].n != ranges[r].n || table->seen[r].decay != ranges[r].decay)
            return false;
    return true;
}

static struct kd_range_table *table_new(struct kd_queue *queue, const struct kd_range *ranges,
                                        int n_ranges)
{
    struct kd_range_table *table = KD_NEW(struct kd_range_table);
    struct kd_device_range *made = KD_NEW_ARRAY(struct kd_device_range, (size_t)n_ranges + 1);
    size_t bytes = (size_t)n_ranges * sizeof *made;
    int64_t start = 0, rounded_start = 0;
    for (int r = 0; r < n_ranges; r++) {
        made[r].start = start;
        made[r].rounded_start = rounded_start;
        made[r].n = ranges[r].n;
        made[r].first_chunk = table->n_chunks;
        made[r].decay = ranges[r].decay;
        start += ranges[r].n;
        rounded_start += kd_rounded_size(&ranges[r]);
        table->n_chunks += (ranges[r].n + KD_CHUNK - 1) / KD_CHUNK;
    }
    table->n_ranges = n_ranges;
    table->seen = KD_NEW_ARRAY(struct kd_range, (size_t)n_ranges + 1);
    memcpy(table->seen, ranges, (size_t)n_ranges * sizeof *ranges);
    table->ranges = (struct kd_device_range *)kd_cuda_new(bytes, "a table of the optimizer's");
    if (bytes)
        KD_CUDA(cudaMemcpyAsync(table->ranges, made, bytes, cudaMemcpyHostToDevice, queue->stream));
    KD_CUDA(cudaStreamSynchronize(queue->stream));
    free(made);
    return table;
}

const struct kd_range_table *kd_range_table_get(struct kd_queue *queue,
                                                const struct kd_range *ranges, int n_ranges)
{
    for (struct kd_range_table *table = queue->range_tables; table; table = table->next)
        if (is_made_of(table, ranges, n_ranges))
            return table;
    struct kd_range_table *made = table_new(queue, ranges, n_ranges);
    made->next = queue->range_tables;
    queue->range_tables = made;
    return made;
}

void kd_range_tables_free(struct kd_queue *queue)
{
    while (queue->range_tables) {
        struct kd_range_table *table = queue->range_tables;
        queue->range_tables = table->next;
        kd_cuda_delete(table->ranges);
        free(table->seen);
        free(table);
    }
}
