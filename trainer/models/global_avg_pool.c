/* global_avg_pool.c - each channel's mean over the whole image, or over all positions of a
 * sequence. */
#include "trainer/models/layer.h"

extern const struct kd_layer kd_layer_globalAvgPool;

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    (void)model;
    char text[KD_SHAPE_TEXT_MAX];
    if (node->in.n_dims < 2)
        return kd_fail(err,
                       "is given %s, but needs an image, rows x columns x channels, or a sequence, "
                       "positions x values",
                       kd_shape_text(node->in, text));
    node->out = (struct kd_shape){{kd_shape_last(node->in)}, .n_dims = 1};
    return 0;
}

static int64_t positions_of(const struct kd_node *node)
{
    return kd_shape_count(node->in) / kd_shape_last(node->in);
}

static void forward(const struct kd_emit *e)
{
    kd_emit_add(e, KD_CALL(mean_pool, .x = e->x[0], .y = e->y, .n = e->n,
                           .positions = positions_of(e->node),
                           .channels = kd_shape_last(e->node->in)));
}

static void backward(const struct kd_emit *e)
{
    if (e->dx[0])
        kd_emit_add(e, KD_CALL(mean_pool_backward, .dy = e->dy, .dx = e->dx[0], .n = e->n,
                               .positions = positions_of(e->node),
                               .channels = kd_shape_last(e->node->in)));
}

const struct kd_layer kd_layer_globalAvgPool = {
    .name = "globalAvgPool",
    .summary = "each channel's mean over the whole image",
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
