/* residual.c - where the two ways of a residual block meet: y = layers(x) + shortcut(x) (He, Zhang,
 * Ren, Sun: "Deep residual learning for image recognition", 2015, eq. 1 and 2). expand.c lays out
 * the ways; this is the sum at their end. */
#include "trainer/models/model.h"

extern const struct kd_layer kd_layer_residual, kd_layer_layernorm;

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    char inner[KD_SHAPE_TEXT_MAX], other[KD_SHAPE_TEXT_MAX];
    struct kd_shape shortcut = model->nodes[node->inputs[1]].out;
    node->out = node->in;
    if (kd_shape_equal(node->in, shortcut))
        return 0;
    return kd_fail(err,
                   "its layers give %s but the shortcut gives %s, and both are added: give it a "
                   "shortcut that ends with the same shape, such as a conv2d or linear of its own",
                   kd_shape_text(node->in, inner), kd_shape_text(shortcut, other));
}

static void forward(const struct kd_emit *e)
{
    kd_emit_add(e, KD_CALL(add, .a = e->x[0], .b = e->x[1], .y = e->y,
                           .n = e->n * kd_shape_count(e->node->out)));
}

const struct kd_layer kd_layer_residual = {
    .name = "residual",
    .summary = "layers(x) + x, or + shortcut(x): {layers: [...], shortcut: [...]}",
    .passes_dy = true,
    .joined_by = &kd_layer_layernorm,
    .shape = shape,
    .forward = forward,
};
