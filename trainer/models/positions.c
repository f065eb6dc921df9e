/* positions.c - a trained row added at each position of a sequence, the same in all samples. */
#include "trainer/models/layer.h"

enum { DEVIATION };
enum { WEIGHT };

extern const struct kd_layer kd_layer_positions;

static const struct kd_field fields[] = {
    {.name = "deviation",
     .kind = KD_FIELD_NUMBER,
     .fallback = 0.02,
     .min = 0,
     .max = 10,
     .help = "standard deviation of the start weights"},
    {.name = NULL},
};

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    (void)model;
    char text[KD_SHAPE_TEXT_MAX];
    if (node->in.n_dims != 2)
        return kd_fail(err, "is given %s, but needs a sequence, positions x values",
                       kd_shape_text(node->in, text));
    node->out = node->in;
    kd_node_add_parameter(node, "weight", node->in)->bound =
        kd_bound_of_deviation(node->settings[DEVIATION]);
    return 0;
}

static void forward(const struct kd_emit *e)
{
    kd_emit_add(e, KD_CALL(add_row, .x = e->x[0], .row = kd_emit_weight(e, WEIGHT), .y = e->y,
                           .rows = e->n, .columns = kd_shape_count(e->node->in)));
}

static void backward(const struct kd_emit *e)
{
    int64_t size = kd_shape_count(e->node->in);
    kd_emit_add_aside(e, KD_CALL(column_sum, .x = e->dy, .sums = kd_emit_gradient(e, WEIGHT),
                                 .rows = e->n, .columns = size, .beta = kd_emit_beta(e, WEIGHT)));
    if (e->dx[0] && e->dx[0] != e->dy)
        kd_emit_add(e, KD_CALL(activation, .x = e->dy, .y = e->dx[0], .n = e->n * size,
                               .activation = KD_ACTIVATION_NONE));
}

const struct kd_layer kd_layer_positions = {
    .name = "positions",
    .summary = "a trained row of values added at each position",
    .fields = fields,
    .dx_over_dy = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
