#include "trainer/models/layout.h"

#include <stdlib.h>

#include "coordinator/base/mem.h"

enum { ALIGNMENT = 64 }; /* bytes */

/* A buffer on its way to its place. */
struct piece {
    struct kd_buffer *buffer;
    int64_t size;
};

static int by_size(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return (x->buffer > y->buffer) - (x->buffer < y->buffer);
}

static bool live_together(const struct kd_buffer *a, const struct kd_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* placed: pieces that have a place, by place. The lowest gap between those that live along with
 * this one. */
static int64_t find_place(const struct piece *piece, struct piece *const *placed, int n_placed)
{
    int64_t at = 0;
    for (int i = 0; i < n_placed; i++) {
        const struct piece *other = placed[i];
        if (!live_together(piece->buffer, other->buffer))
            continue;
        if (other->buffer->at >= at + piece->size)
            break;
        int64_t end = other->buffer->at + other->size;
        at = end > at ? end : at;
    }
    return at;
}

static void insert_by_place(struct piece *piece, struct piece **placed, int n_placed)
{
    int i = n_placed;
    for (; i > 0 && placed[i - 1]->buffer->at > piece->buffer->at; i--)
        placed[i] = placed[i - 1];
    placed[i] = piece;
}

int64_t kd_layout_place(struct kd_buffer *buffers, int n_buffers, int64_t n_samples)
{
    struct piece *pieces = KD_NEW_ARRAY(struct piece, (size_t)n_buffers + 1);
    struct piece **placed = KD_NEW_ARRAY(struct piece *, (size_t)n_buffers + 1);
    int64_t total = 0;
    for (int i = 0; i < n_buffers; i++) {
        int64_t size = buffers[i].per_sample * n_samples + buffers[i].fixed;
        pieces[i] = (struct piece){&buffers[i], (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT};
    }
    qsort(pieces, (size_t)n_buffers, sizeof *pieces, by_size);
    for (int i = 0; i < n_buffers; i++) {
        struct kd_buffer *buffer = pieces[i].buffer;
        buffer->at = find_place(&pieces[i], placed, i);
        insert_by_place(&pieces[i], placed, i);
        total = buffer->at + pieces[i].size > total ? buffer->at + pieces[i].size : total;
    }
    free(pieces);
    free(placed);
    return total;
}
