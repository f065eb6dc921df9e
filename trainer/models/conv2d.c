/* conv2d.c - a convolution over images, channels last. */
#include <math.h>

#include "trainer/models/window.h"

enum { CHANNELS, KERNEL, STRIDE, PADDING, USES_BIAS };
enum { WEIGHT, BIAS };

extern const struct kd_layer kd_layer_conv2d;

static const struct kd_field fields[] = {
    {.name = "channels",
     .kind = KD_FIELD_INTEGER,
     .fallback = NAN,
     .min = 1,
     .max = 1 << 16,
     .help = "how many values it gives at each place"},
    {.name = "kernel",
     .kind = KD_FIELD_INTEGER,
     .fallback = 3,
     .min = 1,
     .max = 64,
     .help = "rows and columns of the window"},
    {.name = "stride",
     .kind = KD_FIELD_INTEGER,
     .fallback = 1,
     .min = 1,
     .max = 1024,
     .help = "rows and columns from one window to the next"},
    {.name = "padding",
     .kind = KD_FIELD_INTEGER,
     .fallback = -1,
     .min = -1,
     .max = 64,
     .help = "rows and columns of zeros around the image; -1: half the kernel, which keeps the "
             "size with an odd kernel and stride 1"},
    {.name = "bias",
     .kind = KD_FIELD_SWITCH,
     .fallback = 1,
     .help = "whether a trained number is added to each channel"},
    {.name = NULL},
};

static bool has_bias(const struct kd_node *node)
{
    return node->settings[USES_BIAS] != 0;
}

static struct kd_sliding sliding_of(const struct kd_node *node)
{
    int64_t kernel = (int64_t)node->settings[KERNEL], padding = (int64_t)node->settings[PADDING];
    return (struct kd_sliding){.kernel = kernel,
                               .stride = (int64_t)node->settings[STRIDE],
                               .padding = padding < 0 ? kernel / 2 : padding};
}

/* He, Zhang, Ren, Sun: "Delving deep into rectifiers" (2015), eq. 10, as uniform numbers: a
 * rectifier follows nearly always, if not at once. */
static int shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    (void)model;
    struct kd_sliding sliding = sliding_of(node);
    int64_t k = sliding.kernel, c_in = kd_shape_last(node->in);
    int64_t c_out = (int64_t)node->settings[CHANNELS];
    if (kd_sliding_shape(node, sliding, c_out, err) != 0)
        return -1;
    kd_node_add_parameter(node, "weight", (struct kd_shape){{c_out, k, k, c_in}, .n_dims = 4})
        ->bound = (float)sqrt(6.0 / (double)(k * k * c_in));
    if (has_bias(node))
        kd_node_add_parameter(node, "bias", (struct kd_shape){{c_out}, .n_dims = 1});
    return 0;
}

static void forward(const struct kd_emit *e)
{
    kd_emit_add(e, KD_CALL(conv2d, .x = e->x[0], .weight = kd_emit_factor(e, WEIGHT),
                           .bias = has_bias(e->node) ? kd_emit_factor(e, BIAS) : NULL, .y = e->y,
                           .window = kd_sliding_window(e->node, sliding_of(e->node), e->n),
                           .c_out = kd_shape_last(e->node->out)));
}

static void backward(const struct kd_emit *e)
{
    struct kd_window window = kd_sliding_window(e->node, sliding_of(e->node), e->n);
    int64_t c_out = kd_shape_last(e->node->out);
    if (has_bias(e->node))
        kd_emit_add_aside(e, KD_CALL(column_sum, .x = e->dy, .sums = kd_emit_gradient(e, BIAS),
                                     .rows = e->n * kd_shape_count(e->node->out) / c_out,
                                     .columns = c_out, .beta = kd_emit_beta(e, BIAS)));
    kd_emit_add_weights(e, KD_CALL(conv2d_backward_weight, .dy = e->dy, .x = e->x[0],
                                   .dweight = kd_emit_gradient(e, WEIGHT), .window = window,
                                   .c_out = c_out, .beta = kd_emit_beta(e, WEIGHT)));
    if (e->dx[0])
        kd_emit_add(e, KD_CALL(conv2d_backward_x, .dy = e->dy, .weight = kd_emit_factor(e, WEIGHT),
                               .dx = e->dx[0], .window = window, .c_out = c_out,
                               .beta = e->beta_dx[0]));
}

const struct kd_layer kd_layer_conv2d = {
    .name = "conv2d",
    .summary = "a convolution over an image",
    .fields = fields,
    .backward_reads = KD_READS_X,
    .adds_dx = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
