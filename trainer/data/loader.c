#include "trainer/data/loader.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

void kd_loader_init(struct kd_loader *loader, const struct kd_device *device)
{
    *loader = (struct kd_loader){.device = device};
    kd_parcel_init(&loader->parcel, device, 0, false);
    kd_source_init(&loader->source, device, KD_PARCEL_IMAGES);
}

void kd_loader_release(struct kd_loader *loader)
{
    for (int i = KD_N_SENT; i < KD_N_SLOTS; i++)
        loader->device->free(loader->slots[i].device);
    kd_parcel_release(&loader->parcel);
    kd_source_release(&loader->source);
    kd_arr_release(&loader->partners);
    *loader = (struct kd_loader){0};
}

/* ---- memory */

static void need(struct kd_loader *loader, enum kd_loader_slot slot, int64_t n, size_t size)
{
    size_t bytes = (size_t)n * size;
    if (bytes <= loader->slots[slot].bytes)
        return;
    loader->slots[slot].bytes = bytes;
    if (slot < KD_N_SENT)
        return;
    loader->device->free(loader->slots[slot].device);
    loader->slots[slot].device = loader->device->alloc(bytes);
}

static void lay_out_parcel(struct kd_loader *loader)
{
    size_t at = 0;
    for (int i = 0; i < KD_N_SENT; i++) {
        size_t n = (loader->slots[i].bytes + KD_PARCEL_ALIGNMENT - 1) / KD_PARCEL_ALIGNMENT;
        loader->slots[i].at = at;
        at += n * KD_PARCEL_ALIGNMENT;
    }
    kd_parcel_need(&loader->parcel, at);
    for (int i = 0; i < KD_N_SENT; i++)
        loader->slots[i].device = loader->parcel.memory + loader->slots[i].at;
}

static void need_for_batches(struct kd_loader *loader, const struct kd_table *table,
                             const struct kd_augment *augment, int64_t n)
{
    bool tokens = kd_table_is_tokens(table), mixes = augment->mixup > 0;
    int64_t size = n * kd_shape_count(table->shape), sides = mixes ? 2 : 1;
    size_t of_value = loader->plan ? (size_t)kd_plan_value_bytes(loader->plan) : sizeof(float);
    need(loader, KD_SLOT_TURN, 1, sizeof(struct kd_turn));
    for (int64_t side = 0; side < sides; side++) {
        need(loader, KD_SLOT_ROWS + side, n, sizeof(int64_t));
        need(loader, KD_SLOT_SAMPLES + side, n, sizeof(int64_t));
        need(loader, KD_SLOT_LABELS + side, table->labels ? n : 0, sizeof(int32_t));
        need(loader, KD_SLOT_TARGETS + side, n * table->n_targets, sizeof(float));
    }
    need(loader, KD_SLOT_TOKENS, tokens ? size : 0, sizeof(int32_t));
    need(loader, KD_SLOT_X, tokens ? 0 : size, of_value);
    need(loader, KD_SLOT_TOKEN_LABELS, tokens ? size : 0, sizeof(int32_t));
    need(loader, KD_SLOT_UNMOVED, kd_augment_moves_pixels(augment) ? size : 0, of_value);
    need(loader, KD_SLOT_OTHER_X, mixes ? size : 0, of_value);
    lay_out_parcel(loader);
}

static void send_scale(struct kd_loader *loader, enum kd_loader_slot slot, const double *values,
                       int64_t n)
{
    float *floats = KD_NEW_ARRAY(float, (size_t)n + 1);
    for (int64_t j = 0; j < n; j++)
        floats[j] = (float)values[j];
    need(loader, slot, n, sizeof *floats);
    loader->device->copy_in(loader->queue, loader->slots[slot].device, floats,
                            (size_t)n * sizeof *floats);
    free(floats); /* it is not pinned, so it has been read */
}

void kd_loader_prepare(struct kd_loader *loader, struct kd_plan *plan,
                       const struct kd_dataset *dataset, const struct kd_augment *augment,
                       int64_t max_batch)
{
    loader->plan = plan;
    loader->queue = plan ? kd_plan_queue(plan) : NULL;
    kd_parcel_restart(&loader->parcel, plan);
    kd_source_prepare(&loader->source, plan, dataset, max_batch, augment->mixup > 0 ? 2 : 1);
    need_for_batches(loader, &dataset->rows, augment, max_batch);
    loader->n_scales = dataset->scales.n;
    send_scale(loader, KD_SLOT_CENTER, dataset->scales.center, dataset->scales.n);
    send_scale(loader, KD_SLOT_FACTOR, dataset->scales.factor, dataset->scales.n);
}

/* ---- one batch */

/* One set of samples that a batch is made of: its own, or their partners in mixup. */
struct side {
    int number; /* 0, 1: the slots that come after each other */
    enum kd_loader_slot x;
    const int32_t *partners; /* NULL: its own */
};

static void *host_of(const struct kd_loader *loader, enum kd_loader_slot slot)
{
    return loader->image + loader->slots[slot].at;
}

static int64_t position_of(const struct kd_draw *draw, const struct side *side, int64_t i)
{
    int64_t position = draw->micro_begin + draw->first + i;
    return side->partners ? draw->begin + side->partners[position - draw->begin] : position;
}

static int32_t row_at(const struct kd_draw *draw, int64_t position)
{
    return kd_part_row(draw->part, draw->order ? draw->order[position] : position);
}

static void fill_places(struct kd_loader *loader, const struct kd_draw *draw,
                        const struct side *side)
{
    int64_t *rows = host_of(loader, KD_SLOT_ROWS + side->number);
    int64_t *samples = host_of(loader, KD_SLOT_SAMPLES + side->number);
    int64_t n = draw->end - draw->first;
    for (int64_t i = 0; i < n; i++) {
        samples[i] = position_of(draw, side, i);
        rows[i] = row_at(draw, samples[i]);
    }
    kd_source_place(&loader->source, loader->plan, side->number, draw->part->table, rows, n);
}

static void fill_answers(struct kd_loader *loader, const struct kd_draw *draw,
                         const struct side *side)
{
    const struct kd_table *table = draw->part->table;
    int64_t n = draw->end - draw->first, t = table->n_targets;
    int32_t *labels = host_of(loader, KD_SLOT_LABELS + side->number);
    float *targets = host_of(loader, KD_SLOT_TARGETS + side->number);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = row_at(draw, position_of(draw, side, i));
        if (table->labels)
            labels[i] = table->labels[row];
        else
            memcpy(targets + i * t, table->targets + row * t, (size_t)t * sizeof *targets);
    }
    /* A partner whose label is ignored has none to give: the sample keeps its own for the whole. */
    const int32_t *own = host_of(loader, KD_SLOT_LABELS);
    for (int64_t i = 0; side->partners && table->labels && i < n; i++)
        labels[i] = labels[i] < 0 ? own[i] : labels[i];
}

static void fill_side(struct kd_loader *loader, const struct kd_draw *draw, const struct side *side)
{
    fill_places(loader, draw, side);
    if (!kd_table_is_tokens(draw->part->table))
        fill_answers(loader, draw, side);
}

/* ---- on the device */

static void gather_tokens(struct kd_loader *loader, const struct kd_draw *draw, const void *from)
{
    const struct kd_table *table = draw->part->table;
    struct kd_op_gather_tokens *gather =
        &kd_feed_add(&loader->feed, KD_OP_gather_tokens)->args.gather_tokens;
    gather->source = from;
    gather->element = table->element;
    gather->rows = loader->slots[KD_SLOT_ROWS].device;
    gather->n = draw->end - draw->first;
    gather->stride = 1;
    gather->length = table->shape.dims[0];
    gather->tokens = loader->slots[KD_SLOT_TOKENS].device;
    gather->labels = loader->slots[KD_SLOT_TOKEN_LABELS].device;
}

static void gather_numbers(struct kd_loader *loader, const struct kd_draw *draw,
                           const struct side *side, const void *from, void *y)
{
    const struct kd_table *table = draw->part->table;
    struct kd_op_gather *gather = &kd_feed_add(&loader->feed, KD_OP_gather)->args.gather;
    gather->source = from;
    gather->element = table->element;
    gather->rows = loader->slots[KD_SLOT_ROWS + side->number].device;
    gather->n = draw->end - draw->first;
    gather->stride = 1;
    gather->size = kd_shape_count(table->shape);
    gather->planes = table->planes;
    gather->center = loader->slots[KD_SLOT_CENTER].device;
    gather->factor = loader->slots[KD_SLOT_FACTOR].device;
    gather->n_scales = loader->n_scales;
    gather->y = y;
}

static void move_pixels(struct kd_loader *loader, const struct kd_draw *draw,
                        const struct side *side)
{
    const int64_t *dims = draw->part->table->shape.dims;
    struct kd_op_augment *augment = &kd_feed_add(&loader->feed, KD_OP_augment)->args.augment;
    augment->x = loader->slots[KD_SLOT_UNMOVED].device;
    augment->y = loader->slots[side->x].device;
    augment->n = draw->end - draw->first;
    augment->h = dims[0];
    augment->w = dims[1];
    augment->channels = dims[2];
    augment->samples = loader->slots[KD_SLOT_SAMPLES + side->number].device;
    augment->turn = loader->slots[KD_SLOT_TURN].device;
    augment->crop = draw->augment->crop;
    augment->cutout = draw->augment->cutout;
    augment->flip = draw->augment->flip;
}

static void gather_samples(struct kd_loader *loader, const struct kd_draw *draw,
                           const struct side *side, const void *from)
{
    bool moves = draw->augment && kd_augment_moves_pixels(draw->augment);
    gather_numbers(loader, draw, side, from,
                   loader->slots[moves ? KD_SLOT_UNMOVED : side->x].device);
    if (moves)
        move_pixels(loader, draw, side);
}

static void gather_side(struct kd_loader *loader, const struct kd_draw *draw,
                        const struct side *side)
{
    const struct kd_table *table = draw->part->table;
    const void *from = kd_source_memory(&loader->source, loader->plan, side->number, table);
    if (kd_table_is_tokens(table))
        gather_tokens(loader, draw, from);
    else
        gather_samples(loader, draw, side, from);
}

static void choose_partners(struct kd_loader *loader, const struct kd_draw *draw)
{
    kd_arr_clear(&loader->partners);
    kd_arr_reserve(&loader->partners, (size_t)draw->n);
    kd_augment_partners(loader->partners.items, draw->n, draw->seed, draw->step);
}

static void mix_arrays(struct kd_loader *loader, void *x, const void *other, int64_t n,
                       bool of_floats)
{
    struct kd_op_mix *mix = &kd_feed_add(&loader->feed, KD_OP_mix)->args.mix;
    mix->x = x;
    mix->other = other;
    mix->n = n;
    mix->turn = loader->slots[KD_SLOT_TURN].device;
    mix->of_floats = of_floats;
}

/* The partners' samples into the batch's own. */
static void mix(struct kd_loader *loader, const struct kd_draw *draw)
{
    const struct kd_table *table = draw->part->table;
    int64_t n = draw->end - draw->first;
    mix_arrays(loader, loader->slots[KD_SLOT_X].device, loader->slots[KD_SLOT_OTHER_X].device,
               n * kd_shape_count(table->shape), false);
    if (!table->labels)
        mix_arrays(loader, loader->slots[KD_SLOT_TARGETS].device,
                   loader->slots[KD_SLOT_OTHER_TARGETS].device, n * table->n_targets, true);
}

/* ---- the whole */

/* Rows that count in the whole global batch; at least 1, since gradients are divided by it. */
static int64_t count_rows(const struct kd_draw *draw)
{
    const struct kd_table *table = draw->part->table;
    if (kd_table_is_tokens(table))
        return draw->n * table->shape.dims[0];
    int64_t n = draw->n;
    for (int64_t i = 0; table->n_ignored > 0 && i < draw->n; i++)
        n -= table->labels[row_at(draw, draw->begin + i)] < 0;
    return n > 0 ? n : 1;
}

static void fill_turn(struct kd_loader *loader, const struct kd_batch *batch)
{
    *(struct kd_turn *)host_of(loader, KD_SLOT_TURN) = (struct kd_turn){
        .seed = batch->seed,
        .step = batch->step,
        .n_global = batch->n_global,
        .n_counted = batch->n_counted,
        .mix = batch->mix,
    };
}

static void fill_pointers(const struct kd_loader *loader, const struct kd_table *table, bool mixes,
                          struct kd_batch *batch)
{
    bool tokens = kd_table_is_tokens(table);
    batch->x = tokens ? NULL : loader->slots[KD_SLOT_X].device;
    batch->tokens = tokens ? loader->slots[KD_SLOT_TOKENS].device : NULL;
    batch->labels = tokens          ? loader->slots[KD_SLOT_TOKEN_LABELS].device
                    : table->labels ? loader->slots[KD_SLOT_LABELS].device
                                    : NULL;
    batch->other_labels =
        mixes && table->labels ? loader->slots[KD_SLOT_OTHER_LABELS].device : NULL;
    batch->targets = table->targets ? loader->slots[KD_SLOT_TARGETS].device : NULL;
    batch->samples = loader->slots[KD_SLOT_SAMPLES].device;
    batch->turn = loader->slots[KD_SLOT_TURN].device;
}

void kd_loader_fill(struct kd_loader *loader, const struct kd_draw *draw, struct kd_batch *batch)
{
    bool mixes = draw->augment && draw->augment->mixup > 0;
    if (mixes)
        choose_partners(loader, draw);
    const struct side sides[] = {{0, KD_SLOT_X, NULL},
                                 {1, KD_SLOT_OTHER_X, loader->partners.items}};
    int n_sides = mixes ? 2 : 1;
    batch->seed = draw->seed;
    batch->step = draw->step;
    batch->n = draw->end - draw->first;
    batch->n_global = draw->n_micro;
    batch->n_counted = count_rows(draw);
    batch->mix = mixes ? kd_augment_share(draw->augment, draw->seed, draw->step) : 0;
    loader->image = kd_parcel_open(&loader->parcel, loader->plan);
    fill_turn(loader, batch);
    for (int i = 0; i < n_sides; i++)
        fill_side(loader, draw, &sides[i]);
    kd_parcel_send(&loader->parcel, loader->plan, loader->parcel.bytes);
    loader->feed.n = 0;
    for (int i = 0; i < n_sides; i++)
        gather_side(loader, draw, &sides[i]);
    if (mixes)
        mix(loader, draw);
    fill_pointers(loader, draw->part->table, mixes, batch);
    batch->feed = &loader->feed;
}

void kd_loader_make(struct kd_loader *loader, const struct kd_batch *batch)
{
    kd_feed_run(batch->feed, loader->device->ops, loader->queue);
}
