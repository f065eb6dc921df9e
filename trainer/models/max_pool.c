/* max_pool.c - the greatest value of each window, channel by channel. */
#include "trainer/models/window.h"

extern const struct kd_layer kd_layer_maxPool;

/* Where each value stood in its window, a byte each. */
static void prepare(struct kd_node *node)
{
    node->scratch = (kd_shape_count(node->out) + 3) / 4;
}

static void forward(const struct kd_emit *e)
{
    kd_emit_add(e, KD_CALL(max_pool, .x = e->x[0], .y = e->y, .chosen = (uint8_t *)e->scratch,
                           .window = kd_sliding_window(e->node, kd_pool_sliding(e->node), e->n)));
}

static void backward(const struct kd_emit *e)
{
    if (e->dx[0])
        kd_emit_add(e,
                    KD_CALL(max_pool_backward, .dy = e->dy, .chosen = (uint8_t *)e->scratch,
                            .dx = e->dx[0],
                            .window = kd_sliding_window(e->node, kd_pool_sliding(e->node), e->n)));
}

const struct kd_layer kd_layer_maxPool = {
    .name = "maxPool",
    .summary = "the greatest value of each window of an image",
    .fields = kd_pool_fields,
    .shape = kd_pool_shape,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
