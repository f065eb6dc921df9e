/* batchnorm.c - each channel over the whole global batch to mean zero and deviation one, then
 * scaled and shifted (Ioffe, Szegedy: "Batch normalization", 2015). Channels are the last
 * dimension. */
#include "trainer/models/layer.h"

enum { MOMENTUM, EPSILON };
enum { WEIGHT, BIAS };
enum { RUNNING_MEAN, RUNNING_VARIANCE };

extern const struct kd_layer kd_layer_batchnorm;

static const struct kd_field fields[] = {
    {.name = "momentum",
     .kind = KD_FIELD_NUMBER,
     .fallback = 0.1,
     .min = 0,
     .max = 1,
     .help = "the newest batch's share of the running statistics, which count outside training"},
    {.name = "epsilon",
     .kind = KD_FIELD_NUMBER,
     .fallback = 1e-5,
     .min = 1e-12,
     .max = 1,
     .help = "added to the variance, so that equal values do not divide by zero"},
    {.name = NULL},
};

static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    (void)model, (void)err;
    int64_t channels = kd_shape_last(node->in);
    struct kd_shape row = {{channels}, .n_dims = 1};
    node->out = node->in;
    kd_node_add_parameter(node, "weight", row)->start = 1;
    kd_node_add_parameter(node, "bias", row);
    kd_node_add_statistic(node, "running_mean", channels, 0);
    kd_node_add_statistic(node, "running_variance", channels, 1);
    return 0;
}

static void prepare(struct kd_node *node)
{
    int64_t channels = kd_shape_last(node->in);
    node->fixed = 2 * channels;  /* mean and 1 / deviation */
    node->n_sums = 2 * channels; /* the forward pass's are no longer needed in the backward pass */
    if (node->fused == KD_ACTIVATION_RELU)
        node->reads |= KD_READS_Y;
}

static int64_t positions_of(const struct kd_node *node)
{
    return kd_shape_count(node->in) / kd_shape_last(node->in);
}

static void forward(const struct kd_emit *e)
{
    const struct kd_node *node = e->node;
    int64_t channels = kd_shape_last(node->in), positions = positions_of(node);
    if (e->training) {
        kd_emit_add(e, KD_CALL(batchnorm_sums, .x = e->x[0], .sums = e->sums,
                               .rows = e->n * positions, .channels = channels));
        kd_emit_sum_doubles(e, e->sums, 2 * channels);
    }
    kd_emit_add(e, KD_CALL(batchnorm, .x = e->x[0], .weight = kd_emit_weight(e, WEIGHT),
                           .bias = kd_emit_weight(e, BIAS), .y = e->y, .sums = e->sums,
                           .saved = e->fixed, .running_mean = kd_emit_statistic(e, RUNNING_MEAN),
                           .running_variance = kd_emit_statistic(e, RUNNING_VARIANCE),
                           .turn = e->turn, .rows = e->n * positions, .channels = channels,
                           .positions = positions, .momentum = (float)node->settings[MOMENTUM],
                           .epsilon = (float)node->settings[EPSILON], .activation = node->fused,
                           .training = e->training));
}

/* Both tensors belong to this node alone, so the one beta is that of both. */
static void backward(const struct kd_emit *e)
{
    const struct kd_node *node = e->node;
    int64_t channels = kd_shape_last(node->in), positions = positions_of(node);
    float beta = kd_emit_beta(e, WEIGHT);
    kd_emit_beta(e, BIAS);
    kd_emit_add(e,
                KD_CALL(batchnorm_backward_sums, .dy = e->dy, .x = e->x[0], .y = e->y,
                        .saved = e->fixed, .sums = e->sums, .dweight = kd_emit_gradient(e, WEIGHT),
                        .dbias = kd_emit_gradient(e, BIAS), .rows = e->n * positions,
                        .channels = channels, .activation = node->fused, .beta = beta));
    if (!e->dx[0])
        return;
    kd_emit_sum_doubles(e, e->sums, 2 * channels);
    kd_emit_add(e,
                KD_CALL(batchnorm_backward, .dy = e->dy, .x = e->x[0], .y = e->y, .saved = e->fixed,
                        .weight = kd_emit_weight(e, WEIGHT), .sums = e->sums, .dx = e->dx[0],
                        .turn = e->turn, .rows = e->n * positions, .channels = channels,
                        .positions = positions, .activation = node->fused, .beta = e->beta_dx[0]));
}

const struct kd_layer kd_layer_batchnorm = {
    .name = "batchnorm",
    .summary = "each channel over the batch to mean 0 and deviation 1, scaled and shifted",
    .fields = fields,
    .fuses = 1u << KD_ACTIVATION_RELU,
    .backward_reads = KD_READS_X,
    .adds_dx = true,
    .dx_over_dy = true,
    .shape = shape,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
