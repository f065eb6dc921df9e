/* flatten.c - all values of a sample in one row, in the order in which they lie: of an image row by
 * row, a pixel's channels together. */
#include "trainer/models/layer.h"

extern const struct kd_layer kd_layer_flatten;

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    (void)model, (void)err;
    node->out = (struct kd_shape){{kd_shape_count(node->in)}, .n_dims = 1};
    return 0;
}

const struct kd_layer kd_layer_flatten = {
    .name = "flatten",
    .summary = "all values of a sample in one row",
    .is_view = true,
    .shape = shape,
};
