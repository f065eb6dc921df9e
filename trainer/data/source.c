#include "trainer/data/source.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "kernels/element.h"

void kd_source_init(struct kd_source *source, const struct kd_device *device, int first_mark)
{
    *source = (struct kd_source){.device = device};
    for (int side = 0; side < 2; side++)
        kd_parcel_init(&source->packed[side], device, first_mark + side * KD_PARCEL_IMAGES, true);
}

static void drop_tables(struct kd_source *source)
{
    for (size_t i = 0; i < KD_COUNT(source->tables); i++) {
        source->device->free(source->tables[i].memory);
        source->tables[i] = (struct kd_held_table){0};
    }
    free(source->key);
    source->key = NULL;
}

void kd_source_release(struct kd_source *source)
{
    drop_tables(source);
    for (int side = 0; side < 2; side++)
        kd_parcel_release(&source->packed[side]);
    *source = (struct kd_source){0};
}

/* ---- tables on the device */

/* Bytes that one sample is read from; of tokens also the one after the last, which is its label. */
static int64_t sample_bytes(const struct kd_table *table)
{
    int64_t n = kd_shape_count(table->shape) + (kd_table_is_tokens(table) ? 1 : 0);
    return n * kd_element_bytes(table->element);
}

/* What is read of a part: [*begin, *end) from the table's source. */
static void extent_of(const struct kd_table *table, size_t part, int64_t *begin, int64_t *end)
{
    int64_t next = part + 1 < table->parts.n ? table->parts.items[part + 1].first : table->n;
    int64_t last = next - 1 - table->parts.items[part].first;
    *begin = table->parts.items[part].at;
    *end = *begin + last * table->stride + sample_bytes(table);
}

/* The plan's own arenas come first. */
static bool fits(const struct kd_source *source, const struct kd_plan *plan, int64_t bytes)
{
    size_t free_bytes, total_bytes;
    source->device->memory(&free_bytes, &total_bytes);
    return bytes <= ((int64_t)free_bytes - kd_plan_bytes_to_come(plan)) / 2;
}

static void hold(struct kd_source *source, struct kd_plan *plan, struct kd_held_table *held,
                 const struct kd_table *table)
{
    int64_t begin, end;
    held->table = table;
    if (table->n == 0)
        return;
    extent_of(table, 0, &held->origin, &end);
    extent_of(table, table->parts.n - 1, &begin, &end);
    if (!fits(source, plan, end - held->origin))
        return;
    held->memory = source->device->alloc((size_t)(end - held->origin));
    for (size_t i = 0; i < table->parts.n; i++) {
        extent_of(table, i, &begin, &end);
        source->device->copy_in(kd_plan_queue(plan), held->memory + (begin - held->origin),
                                table->source + begin, (size_t)(end - begin));
    }
}

/* The tables of a data set that was read anew may lie where those of another one lay: the key tells
 * them apart. */
static void hold_tables(struct kd_source *source, struct kd_plan *plan,
                        const struct kd_dataset *dataset)
{
    bool same = source->key && strcmp(source->key, dataset->key) == 0 &&
                source->tables[0].table == &dataset->rows;
    if (same)
        return;
    drop_tables(source);
    source->key = kd_strdup(dataset->key);
    hold(source, plan, &source->tables[0], &dataset->rows);
    hold(source, plan, &source->tables[1], &dataset->val_rows);
}

/* ---- samples that are sent */

static void need_packed(struct kd_source *source, struct kd_plan *plan, int64_t max_batch,
                        int n_sides)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < KD_COUNT(source->tables); i++) {
        const struct kd_held_table *held = &source->tables[i];
        if (!held->memory && held->table->n > 0 && bytes < max_batch * sample_bytes(held->table))
            bytes = max_batch * sample_bytes(held->table);
    }
    for (int side = 0; side < n_sides; side++) {
        kd_parcel_restart(&source->packed[side], plan);
        kd_parcel_need(&source->packed[side], (size_t)bytes);
    }
}

static void pack(struct kd_source *source, struct kd_plan *plan, int side,
                 const struct kd_table *table, int64_t *places, int64_t n)
{
    int64_t bytes = sample_bytes(table);
    char *image = kd_parcel_open(&source->packed[side], plan);
    for (int64_t i = 0; i < n; i++) {
        memcpy(image + i * bytes, table->source + kd_table_at(table, places[i]), (size_t)bytes);
        places[i] = i * bytes;
    }
    source->packed_used[side] = n * bytes;
}

bool kd_source_drop(struct kd_source *source)
{
    bool had = source->tables[0].memory || source->tables[1].memory;
    drop_tables(source);
    return had;
}

/* ---- the whole */

void kd_source_prepare(struct kd_source *source, struct kd_plan *plan,
                       const struct kd_dataset *dataset, int64_t max_batch, int n_sides)
{
    if (source->device->is_host)
        return;
    hold_tables(source, plan, dataset);
    need_packed(source, plan, max_batch, n_sides);
}

static const struct kd_held_table *held_of(const struct kd_source *source,
                                           const struct kd_table *table)
{
    for (size_t i = 0; i < KD_COUNT(source->tables); i++)
        if (source->tables[i].table == table && source->tables[i].memory)
            return &source->tables[i];
    return NULL;
}

static bool is_sent(const struct kd_source *source, const struct kd_table *table)
{
    return !source->device->is_host && !held_of(source, table);
}

void kd_source_place(struct kd_source *source, struct kd_plan *plan, int side,
                     const struct kd_table *table, int64_t *places, int64_t n)
{
    const struct kd_held_table *held = held_of(source, table);
    int64_t origin = held ? held->origin : 0;
    int64_t unit = kd_table_is_tokens(table) ? kd_element_bytes(table->element) : 1;
    if (is_sent(source, table))
        pack(source, plan, side, table, places, n);
    else
        for (int64_t i = 0; i < n; i++)
            places[i] = kd_table_at(table, places[i]) - origin;
    for (int64_t i = 0; unit > 1 && i < n; i++)
        places[i] /= unit;
}

const void *kd_source_memory(struct kd_source *source, struct kd_plan *plan, int side,
                             const struct kd_table *table)
{
    const struct kd_held_table *held = held_of(source, table);
    if (!is_sent(source, table))
        return held ? held->memory : table->source;
    kd_parcel_send(&source->packed[side], plan, (size_t)source->packed_used[side]);
    return source->packed[side].memory;
}
