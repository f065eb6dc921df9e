/* layernorm.c - the last dimension of each position to mean zero and deviation one, then scaled and
 * shifted (Ba, Kiros, Hinton: "Layer normalization", 2016). */
#include "trainer/models/layer.h"

enum { EPSILON, USES_BIAS };
enum { WEIGHT, BIAS };

extern const struct kd_layer kd_layer_layernorm;

static const struct kd_field fields[] = {
    {.name = "epsilon",
     .kind = KD_FIELD_NUMBER,
     .fallback = 1e-5,
     .min = 1e-12,
     .max = 1,
     .help = "added to the variance, so that equal values do not divide by zero"},
    {.name = "bias",
     .kind = KD_FIELD_SWITCH,
     .fallback = 1,
     .help = "whether a trained number is added to each value"},
    {.name = NULL},
};

static int64_t rows_of_sample(const struct kd_node *node)
{
    return kd_shape_count(node->in) / kd_shape_last(node->in);
}

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    (void)model, (void)err;
    struct kd_shape row = {{kd_shape_last(node->in)}, .n_dims = 1};
    node->out = node->in;
    kd_node_add_parameter(node, "weight", row)->start = 1;
    if (node->settings[USES_BIAS] != 0)
        kd_node_add_parameter(node, "bias", row);
    return 0;
}

static void prepare(struct kd_node *node)
{
    node->scratch = 2 * rows_of_sample(node); /* mean and 1 / deviation */
}

static bool has_bias(const struct kd_emit *e)
{
    return e->node->n_parameters > BIAS;
}

static void forward(const struct kd_emit *e)
{
    kd_emit_add(e, KD_CALL(layernorm, .x = e->x[0], .weight = kd_emit_weight(e, WEIGHT),
                           .bias = has_bias(e) ? kd_emit_weight(e, BIAS) : NULL, .y = e->y,
                           .saved = e->scratch, .rows = e->n * rows_of_sample(e->node),
                           .columns = kd_shape_last(e->node->in),
                           .epsilon = (float)e->node->settings[EPSILON]));
}

/* Both tensors belong to this node alone, so the one beta is that of both. */
static void backward(const struct kd_emit *e)
{
    float beta = kd_emit_beta(e, WEIGHT);
    if (has_bias(e))
        kd_emit_beta(e, BIAS);
    kd_emit_add(e, KD_CALL(layernorm_backward, .dy = e->dy, .x = e->x[0], .saved = e->scratch,
                           .weight = kd_emit_weight(e, WEIGHT), .dx = e->dx[0],
                           .dweight = kd_emit_gradient(e, WEIGHT),
                           .dbias = has_bias(e) ? kd_emit_gradient(e, BIAS) : NULL,
                           .rows = e->n * rows_of_sample(e->node),
                           .columns = kd_shape_last(e->node->in), .beta_dx = e->beta_dx[0],
                           .beta = beta));
}

const struct kd_layer kd_layer_layernorm = {
    .name = "layernorm",
    .summary = "each position's values to mean 0 and deviation 1, scaled and shifted",
    .fields = fields,
    .backward_reads = KD_READS_X,
    .adds_dx = true,
    .dx_over_dy = true,
    .shape = shape,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
