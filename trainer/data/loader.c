#include "trainer/data/loader.h"

#include <string.h>

static const struct kd_augment nothing;

void kd_loader_init(struct kd_loader *loader, const struct kd_device *device)
{
    *loader = (struct kd_loader){.device = device};
    kd_source_init(&loader->source, device);
}

void kd_loader_release(struct kd_loader *loader)
{
    for (int i = 0; i < KD_N_SLOTS; i++) {
        if (loader->slots[i].device)
            loader->device->free(loader->slots[i].device);
        free(loader->slots[i].host);
    }
    kd_source_release(&loader->source);
    kd_arr_release(&loader->partners);
    *loader = (struct kd_loader){0};
}

/* ---- memory */

static void need(struct kd_loader *loader, enum kd_loader_slot slot, int64_t n, size_t size,
                 bool on_host)
{
    size_t bytes = (size_t)n * size;
    if (bytes <= loader->slots[slot].bytes)
        return;
    if (loader->slots[slot].device)
        loader->device->free(loader->slots[slot].device);
    free(loader->slots[slot].host);
    loader->slots[slot].device = loader->device->alloc(bytes);
    loader->slots[slot].host = on_host ? kd_alloc(bytes) : NULL;
    loader->slots[slot].bytes = bytes;
}

static void send(struct kd_loader *loader, enum kd_loader_slot slot, int64_t n, size_t size)
{
    loader->device->copy_in(loader->queue, loader->slots[slot].device, loader->slots[slot].host,
                            (size_t)n * size);
}

static void send_scales(struct kd_loader *loader, const struct kd_scales *scales)
{
    loader->n_scales = scales->n;
    need(loader, KD_SLOT_CENTER, scales->n, sizeof(float), true);
    need(loader, KD_SLOT_FACTOR, scales->n, sizeof(float), true);
    float *center = loader->slots[KD_SLOT_CENTER].host;
    float *factor = loader->slots[KD_SLOT_FACTOR].host;
    for (int64_t j = 0; j < scales->n; j++) {
        center[j] = (float)scales->center[j];
        factor[j] = (float)scales->factor[j];
    }
    send(loader, KD_SLOT_CENTER, scales->n, sizeof(float));
    send(loader, KD_SLOT_FACTOR, scales->n, sizeof(float));
}

void kd_loader_prepare(struct kd_loader *loader, struct kd_queue *queue,
                       const struct kd_dataset *dataset, const struct kd_augment *augment,
                       int64_t max_batch)
{
    const struct kd_table *table = &dataset->rows;
    bool tokens = kd_table_is_tokens(table), mixes = augment->mixup > 0;
    int64_t n = max_batch, size = n * kd_shape_count(table->shape);
    loader->queue = queue;
    kd_source_prepare(&loader->source, queue, dataset, max_batch);
    need(loader, KD_SLOT_ROWS, n, sizeof(int64_t), true);
    need(loader, KD_SLOT_SAMPLES, n, sizeof(int64_t), true);
    need(loader, KD_SLOT_TURN, 1, sizeof(struct kd_turn), true);
    need(loader, tokens ? KD_SLOT_TOKENS : KD_SLOT_X, size, sizeof(float), false);
    need(loader, KD_SLOT_TOKEN_LABELS, tokens ? size : 0, sizeof(int32_t), false);
    need(loader, KD_SLOT_LABELS, table->labels ? n : 0, sizeof(int32_t), true);
    need(loader, KD_SLOT_TARGETS, n * table->n_targets, sizeof(float), true);
    if (kd_augment_moves_pixels(augment))
        need(loader, KD_SLOT_UNMOVED, size, sizeof(float), false);
    if (mixes) {
        need(loader, KD_SLOT_OTHER_X, size, sizeof(float), false);
        need(loader, KD_SLOT_OTHER_SAMPLES, n, sizeof(int64_t), true);
        need(loader, KD_SLOT_OTHER_LABELS, table->labels ? n : 0, sizeof(int32_t), true);
        need(loader, KD_SLOT_OTHER_TARGETS, n * table->n_targets, sizeof(float), true);
    }
    send_scales(loader, &dataset->scales);
}

/* ---- one batch */

/* One set of samples that a batch is made of: its own, or their partners in mixup. */
struct side {
    enum kd_loader_slot x, samples, labels, targets;
    const int32_t *partners; /* NULL: its own */
};

static int64_t position_of(const struct kd_draw *draw, const struct side *side, int64_t i)
{
    int64_t position = draw->micro_begin + draw->first + i;
    return side->partners ? draw->begin + side->partners[position - draw->begin] : position;
}

static int32_t row_at(const struct kd_draw *draw, int64_t position)
{
    return kd_part_row(draw->part, draw->order ? draw->order[position] : position);
}

/* The memory that the places are counted from. */
static const void *send_places(struct kd_loader *loader, const struct kd_draw *draw,
                               const struct side *side)
{
    int64_t *rows = loader->slots[KD_SLOT_ROWS].host, *samples = loader->slots[side->samples].host;
    int64_t n = draw->end - draw->first;
    for (int64_t i = 0; i < n; i++) {
        samples[i] = position_of(draw, side, i);
        rows[i] = row_at(draw, samples[i]);
    }
    const void *from = kd_source_place(&loader->source, loader->queue, draw->part->table, rows, n);
    send(loader, KD_SLOT_ROWS, n, sizeof *rows);
    send(loader, side->samples, n, sizeof *samples);
    return from;
}

static void send_answers(struct kd_loader *loader, const struct kd_draw *draw,
                         const struct side *side)
{
    const struct kd_table *table = draw->part->table;
    int64_t n = draw->end - draw->first, t = table->n_targets;
    int32_t *labels = loader->slots[side->labels].host;
    float *targets = loader->slots[side->targets].host;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = row_at(draw, position_of(draw, side, i));
        if (table->labels)
            labels[i] = table->labels[row];
        else
            memcpy(targets + i * t, table->targets + row * t, (size_t)t * sizeof *targets);
    }
    /* A partner whose label is ignored has none to give: the sample keeps its own for the whole. */
    const int32_t *own = loader->slots[KD_SLOT_LABELS].host;
    for (int64_t i = 0; side->partners && table->labels && i < n; i++)
        labels[i] = labels[i] < 0 ? own[i] : labels[i];
    send(loader, table->labels ? side->labels : side->targets, table->labels ? n : n * t,
         sizeof(float));
}

static void run(struct kd_loader *loader, struct kd_call call)
{
    kd_call_run(&call, loader->device->ops, loader->queue);
}

static void gather_tokens(struct kd_loader *loader, const struct kd_draw *draw, const void *from)
{
    const struct kd_table *table = draw->part->table;
    run(loader, KD_CALL(gather_tokens, .source = from, .element = table->element,
                        .rows = loader->slots[KD_SLOT_ROWS].device, .n = draw->end - draw->first,
                        .stride = 1, .length = table->shape.dims[0],
                        .tokens = loader->slots[KD_SLOT_TOKENS].device,
                        .labels = loader->slots[KD_SLOT_TOKEN_LABELS].device));
}

static void gather_numbers(struct kd_loader *loader, const struct kd_draw *draw,
                           const struct side *side, const void *from)
{
    const struct kd_table *table = draw->part->table;
    const struct kd_augment *augment = draw->augment ? draw->augment : &nothing;
    bool moves = kd_augment_moves_pixels(augment);
    float *x = loader->slots[side->x].device, *unmoved = loader->slots[KD_SLOT_UNMOVED].device;
    const int64_t *dims = table->shape.dims;
    int64_t n = draw->end - draw->first;
    run(loader, KD_CALL(gather, .source = from, .element = table->element,
                        .rows = loader->slots[KD_SLOT_ROWS].device, .n = n, .stride = 1,
                        .size = kd_shape_count(table->shape), .planes = table->planes,
                        .center = loader->slots[KD_SLOT_CENTER].device,
                        .factor = loader->slots[KD_SLOT_FACTOR].device,
                        .n_scales = loader->n_scales, .y = moves ? unmoved : x));
    if (moves)
        run(loader, KD_CALL(augment, .x = unmoved, .y = x, .n = n, .h = dims[0], .w = dims[1],
                            .channels = dims[2], .samples = loader->slots[side->samples].device,
                            .turn = loader->slots[KD_SLOT_TURN].device, .crop = augment->crop,
                            .cutout = augment->cutout, .flip = augment->flip));
}

static void load_side(struct kd_loader *loader, const struct kd_draw *draw, const struct side *side)
{
    const void *from = send_places(loader, draw, side);
    if (kd_table_is_tokens(draw->part->table)) {
        gather_tokens(loader, draw, from);
        return;
    }
    send_answers(loader, draw, side);
    gather_numbers(loader, draw, side, from);
}

/* After the batch's own side: the partners', and the two mixed. */
static void mix_in(struct kd_loader *loader, const struct kd_draw *draw)
{
    const struct kd_table *table = draw->part->table;
    int64_t n = draw->end - draw->first;
    const void *turn = loader->slots[KD_SLOT_TURN].device;
    kd_arr_clear(&loader->partners);
    kd_arr_reserve(&loader->partners, (size_t)draw->n);
    kd_augment_partners(loader->partners.items, draw->n, draw->seed, draw->step);
    struct side others = {KD_SLOT_OTHER_X, KD_SLOT_OTHER_SAMPLES, KD_SLOT_OTHER_LABELS,
                          KD_SLOT_OTHER_TARGETS, loader->partners.items};
    load_side(loader, draw, &others);
    run(loader, KD_CALL(mix, .x = loader->slots[KD_SLOT_X].device,
                        .other = loader->slots[KD_SLOT_OTHER_X].device,
                        .n = n * kd_shape_count(table->shape), .turn = turn));
    if (!table->labels)
        run(loader, KD_CALL(mix, .x = loader->slots[KD_SLOT_TARGETS].device,
                            .other = loader->slots[KD_SLOT_OTHER_TARGETS].device,
                            .n = n * table->n_targets, .turn = turn));
}

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

static void send_turn(struct kd_loader *loader, const struct kd_batch *batch)
{
    *(struct kd_turn *)loader->slots[KD_SLOT_TURN].host =
        (struct kd_turn){.seed = batch->seed,
                         .step = batch->step,
                         .n_global = batch->n_global,
                         .n_counted = batch->n_counted,
                         .mix = batch->mix};
    send(loader, KD_SLOT_TURN, 1, sizeof(struct kd_turn));
}

void kd_loader_fill(struct kd_loader *loader, const struct kd_draw *draw, struct kd_batch *batch)
{
    const struct kd_table *table = draw->part->table;
    bool tokens = kd_table_is_tokens(table), mixes = draw->augment && draw->augment->mixup > 0;
    struct side own = {KD_SLOT_X, KD_SLOT_SAMPLES, KD_SLOT_LABELS, KD_SLOT_TARGETS, NULL};
    batch->seed = draw->seed;
    batch->step = draw->step;
    batch->n = draw->end - draw->first;
    batch->n_global = draw->n_micro;
    batch->n_counted = count_rows(draw);
    batch->mix = mixes ? kd_augment_share(draw->augment, draw->seed, draw->step) : 0;
    send_turn(loader, batch);
    load_side(loader, draw, &own);
    if (mixes)
        mix_in(loader, draw);
    batch->x = tokens ? NULL : loader->slots[KD_SLOT_X].device;
    batch->tokens = tokens ? loader->slots[KD_SLOT_TOKENS].device : NULL;
    batch->labels = tokens          ? loader->slots[KD_SLOT_TOKEN_LABELS].device
                    : table->labels ? loader->slots[KD_SLOT_LABELS].device
                                    : NULL;
    batch->other_labels =
        mixes && table->labels ? loader->slots[KD_SLOT_OTHER_LABELS].device : NULL;
    batch->targets = table->targets ? loader->slots[KD_SLOT_TARGETS].device : NULL;
    batch->samples = loader->slots[KD_SLOT_SAMPLES].device;
}
