/* avg_pool.c - the mean of each window, channel by channel; padding counts as zeros. */
#include "trainer/models/window.h"

extern const struct kd_layer kd_layer_avgPool;

static void forward(const struct kd_emit *e)
{
    kd_emit_add(e, KD_CALL(avg_pool, .x = e->x[0], .y = e->y,
                           .window = kd_sliding_window(e->node, kd_pool_sliding(e->node), e->n)));
}

static void backward(const struct kd_emit *e)
{
    if (e->dx[0])
        kd_emit_add(e,
                    KD_CALL(avg_pool_backward, .dy = e->dy, .dx = e->dx[0],
                            .window = kd_sliding_window(e->node, kd_pool_sliding(e->node), e->n)));
}

const struct kd_layer kd_layer_avgPool = {
    .name = "avgPool",
    .summary = "the mean of each window of an image",
    .fields = kd_pool_fields,
    .shape = kd_pool_shape,
    .forward = forward,
    .backward = backward,
};
