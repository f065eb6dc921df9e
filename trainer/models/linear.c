/* linear.c - y = f(x W^T + b) on the last dimension; f is the activation that follows, when one
 * does. */
#include <math.h>

#include "trainer/models/layer.h"

enum { UNITS, USES_BIAS, DEVIATION };
enum { WEIGHT, BIAS };

extern const struct kd_layer kd_layer_linear;

static const struct kd_field fields[] = {
    {.name = "units",
     .kind = KD_FIELD_INTEGER,
     .fallback = NAN,
     .min = 1,
     .max = 1 << 20,
     .help = "how many values it gives"},
    {.name = "bias",
     .kind = KD_FIELD_SWITCH,
     .fallback = 1,
     .help = "whether a trained number is added to each of them"},
    {.name = "deviation",
     .kind = KD_FIELD_NUMBER,
     .fallback = 0,
     .min = 0,
     .max = 10,
     .help = "standard deviation of the start weights; 0: by the number of inputs"},
    {.name = NULL},
};

static bool has_bias(const struct kd_node *node)
{
    return node->settings[USES_BIAS] != 0;
}

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    (void)model, (void)err;
    int64_t units = (int64_t)node->settings[UNITS];
    node->out = node->in;
    node->out.dims[node->out.n_dims - 1] = units;
    kd_node_add_parameter(node, "weight",
                          (struct kd_shape){{units, kd_shape_last(node->in)}, .n_dims = 2});
    if (has_bias(node))
        kd_node_add_parameter(node, "bias", (struct kd_shape){{units}, .n_dims = 1});
    return 0;
}

/* He, Zhang, Ren, Sun: "Delving deep into rectifiers" (2015), eq. 10, before relu and gelu; else
 * Glorot, Bengio: "Understanding the difficulty of training deep feedforward neural networks"
 * (2010), eq. 16. Both as uniform numbers. */
static void prepare(struct kd_node *node)
{
    double n_in = (double)kd_shape_last(node->in), n_out = node->settings[UNITS];
    bool rectified = node->fused == KD_ACTIVATION_RELU || node->fused == KD_ACTIVATION_GELU ||
                     node->fused == KD_ACTIVATION_SILU;
    node->parameters[WEIGHT].bound = (float)sqrt(6.0 / (rectified ? n_in : n_in + n_out));
    if (node->settings[DEVIATION] > 0)
        node->parameters[WEIGHT].bound = kd_bound_of_deviation(node->settings[DEVIATION]);
    node->spoils_dy = node->fused != KD_ACTIVATION_NONE;
    if (node->fused == KD_ACTIVATION_GELU || node->fused == KD_ACTIVATION_SILU)
        node->kept = kd_shape_count(node->out);
    else if (node->fused != KD_ACTIVATION_NONE)
        node->reads |= KD_READS_Y;
}

static int64_t n_rows(const struct kd_emit *e)
{
    return e->n * (kd_shape_count(e->node->in) / kd_shape_last(e->node->in));
}

static void forward(const struct kd_emit *e)
{
    const struct kd_node *node = e->node;
    kd_emit_add(e, KD_CALL(linear, .x = e->x[0], .weight = kd_emit_factor(e, WEIGHT),
                           .bias = has_bias(node) ? kd_emit_factor(e, BIAS) : NULL, .y = e->y,
                           .pre = node->kept ? e->kept : NULL, .rows = n_rows(e),
                           .n_in = kd_shape_last(node->in), .n_out = kd_shape_last(node->out),
                           .activation = node->fused));
}

static void backward(const struct kd_emit *e)
{
    const struct kd_node *node = e->node;
    int64_t rows = n_rows(e), n_in = kd_shape_last(node->in), n_out = kd_shape_last(node->out);
    if (node->fused != KD_ACTIVATION_NONE)
        kd_emit_add(e,
                    KD_CALL(activation_backward, .dy = e->dy, .saved = node->kept ? e->kept : e->y,
                            .dx = e->dy, .n = rows * n_out, .activation = node->fused));
    if (has_bias(node))
        kd_emit_add_aside(e,
                          KD_CALL(column_sum, .x = e->dy, .sums = kd_emit_gradient(e, BIAS),
                                  .rows = rows, .columns = n_out, .beta = kd_emit_beta(e, BIAS)));
    kd_emit_add_weights(e,
                        KD_CALL(matmul, .a = e->dy, .b = e->x[0], .c = kd_emit_gradient(e, WEIGHT),
                                .m = n_out, .n = n_in, .k = rows, .transpose_a = true,
                                .to_floats = true, .beta = kd_emit_beta(e, WEIGHT)));
    if (e->dx[0])
        kd_emit_add(e, KD_CALL(matmul, .a = e->dy, .b = kd_emit_factor(e, WEIGHT), .c = e->dx[0],
                               .m = rows, .n = n_in, .k = n_out, .beta = e->beta_dx[0]));
}

const struct kd_layer kd_layer_linear = {
    .name = "linear",
    .summary = "every output a weighted sum of all inputs, plus a bias",
    .fields = fields,
    .fuses = 1u << KD_ACTIVATION_RELU | 1u << KD_ACTIVATION_GELU | 1u << KD_ACTIVATION_TANH |
             1u << KD_ACTIVATION_SILU,
    .backward_reads = KD_READS_X,
    .adds_dx = true,
    .shape = shape,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
