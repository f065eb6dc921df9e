/* linear.c - y = f(x W^T + b) on the last dimension; f is the activation that follows, when one does. */
#include <math.h>

#include "trainer/models/layer.h"

enum { UNITS };
enum { WEIGHT, BIAS };

extern const struct kd_layer kd_layer_linear;

static const struct kd_field fields[] = {
    {.name = "units",
     .kind = KD_FIELD_INTEGER,
     .fallback = NAN,
     .min = 1,
     .max = 1 << 20,
     .help = "how many values it gives"},
    {.name = NULL},
};

static int shape(struct kd_node *node, struct kd_error *err)
{
    (void)err;
    int64_t units = (int64_t)node->settings[UNITS];
    node->out = node->in;
    node->out.dims[node->out.n_dims - 1] = units;
    kd_node_add_parameter(node, "weight",
                          (struct kd_shape){{units, kd_shape_last(node->in)}, .n_dims = 2});
    kd_node_add_parameter(node, "bias", (struct kd_shape){{units}, .n_dims = 1});
    return 0;
}

/* He, Zhang, Ren, Sun: "Delving deep into rectifiers" (2015), eq. 10, before relu and gelu; else Glorot, Bengio:
 * "Understanding the difficulty of training deep feedforward neural networks" (2010), eq. 16. Both as uniform numbers. */
static void prepare(struct kd_node *node)
{
    double n_in = (double)kd_shape_last(node->in), n_out = node->settings[UNITS];
    bool rectified = node->fused == KD_ACTIVATION_RELU || node->fused == KD_ACTIVATION_GELU;
    node->parameters[WEIGHT].bound = (float)sqrt(6.0 / (rectified ? n_in : n_in + n_out));
    if (node->fused == KD_ACTIVATION_GELU)
        node->scratch = kd_shape_count(node->out);
}

static int64_t n_rows(const struct kd_emit *e)
{
    return e->n * (kd_shape_count(e->node->in) / kd_shape_last(e->node->in));
}

static const float *forward(const struct kd_emit *e)
{
    const struct kd_node *node = e->node;
    kd_emit_add(e,
                KD_CALL(linear, .x = e->x, .weight = e->weights + node->parameters[WEIGHT].offset,
                        .bias = e->weights + node->parameters[BIAS].offset, .y = e->y,
                        .pre = node->scratch ? e->scratch : NULL, .rows = n_rows(e),
                        .n_in = kd_shape_last(node->in), .n_out = kd_shape_last(node->out),
                        .activation = node->fused));
    return e->y;
}

static float *backward(const struct kd_emit *e)
{
    const struct kd_node *node = e->node;
    int64_t rows = n_rows(e), n_in = kd_shape_last(node->in), n_out = kd_shape_last(node->out);
    if (node->fused != KD_ACTIVATION_NONE)
        kd_emit_add(e, KD_CALL(activation_backward, .dy = e->dy,
                               .saved = node->scratch ? e->scratch : e->y, .dx = e->dy,
                               .n = rows * n_out, .activation = node->fused));
    kd_emit_add(e, KD_CALL(column_sum, .x = e->dy,
                           .sums = e->gradients + node->parameters[BIAS].offset, .rows = rows,
                           .columns = n_out));
    kd_emit_add(e, KD_CALL(matmul, .a = e->dy, .b = e->x,
                           .c = e->gradients + node->parameters[WEIGHT].offset, .m = n_out,
                           .n = n_in, .k = rows, .transpose_a = true));
    if (e->dx)
        kd_emit_add(e,
                    KD_CALL(matmul, .a = e->dy, .b = e->weights + node->parameters[WEIGHT].offset,
                            .c = e->dx, .m = rows, .n = n_in, .k = n_out));
    return e->dx;
}

const struct kd_layer kd_layer_linear = {
    .name = "linear",
    .summary = "every output a weighted sum of all inputs, plus a bias",
    .fields = fields,
    .fuses = true,
    .shape = shape,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
