/* preset_resnet.c - residual networks for small images (He, Zhang, Ren, Sun: "Deep residual
 * learning for image recognition", 2015, 4.2): a convolution, then three stages of n blocks of two
 * convolutions, each stage with half the rows and columns and twice the channels of the one before.
 * Where the shape changes, the shortcut is a convolution of 1 x 1 (their option B). */
#include <inttypes.h>

#include "trainer/models/preset.h"

enum { DEPTH, WIDTH };
enum { STAGES = 3, DEPTH_STEP = 2 * STAGES, DEPTH_REST = 2 };

extern const struct kd_preset kd_preset_resnet;

static const struct kd_field fields[] = {
    {.name = "depth",
     .kind = KD_FIELD_INTEGER,
     .fallback = 20,
     .min = 8,
     .max = 1202,
     .help = "layers with weights: 6 n + 2, with n blocks in each of the three stages"},
    {.name = "width",
     .kind = KD_FIELD_INTEGER,
     .fallback = 16,
     .min = 1,
     .max = 4096,
     .help = "channels of the first stage; the next ones have 2 and 4 times as many"},
    {.name = NULL},
};

static int check(const double *values, const struct kd_input *input, struct kd_error *err)
{
    int64_t depth = (int64_t)values[DEPTH], below = depth - (depth - DEPTH_REST) % DEPTH_STEP;
    char text[KD_SHAPE_TEXT_MAX];
    if (below != depth)
        return kd_fail(
            err, "depth %" PRId64 " is not 6 n + 2; the nearest that are: %" PRId64 " and %" PRId64,
            depth, below, below + DEPTH_STEP);
    if (input->tokens || input->shape.n_dims != 3)
        return kd_fail(err, "is given %s%s, but needs images, rows x columns x channels",
                       kd_shape_text(input->shape, text), input->tokens ? " tokens" : "");
    return 0;
}

static void append_conv(json_t *list, int64_t channels, int64_t kernel, int64_t stride)
{
    json_array_append_new(list, json_pack("{s:{s:I,s:I,s:I,s:b}}", "conv2d", "channels",
                                          (json_int_t)channels, "kernel", (json_int_t)kernel,
                                          "stride", (json_int_t)stride, "bias", 0));
    json_array_append_new(list, json_string("batchnorm"));
}

static void append_block(json_t *list, int64_t channels, int64_t stride, bool changes_shape)
{
    json_t *way = json_array(), *settings = json_object();
    append_conv(way, channels, 3, stride);
    json_array_append_new(way, json_string("relu"));
    append_conv(way, channels, 3, 1);
    json_object_set_new(settings, "layers", way);
    if (changes_shape) {
        json_t *shortcut = json_array();
        append_conv(shortcut, channels, 1, stride);
        json_object_set_new(settings, "shortcut", shortcut);
    }
    json_array_append_new(list, json_pack("{s:o}", "residual", settings));
    json_array_append_new(list, json_string("relu"));
}

static json_t *layers(const double *values, const struct kd_input *input, struct kd_error *err)
{
    if (check(values, input, err) != 0)
        return NULL;
    int64_t n_blocks = ((int64_t)values[DEPTH] - DEPTH_REST) / DEPTH_STEP;
    int64_t channels = (int64_t)values[WIDTH];
    json_t *list = json_array();
    append_conv(list, channels, 3, 1);
    json_array_append_new(list, json_string("relu"));
    for (int stage = 0; stage < STAGES; stage++, channels *= 2)
        for (int64_t block = 0; block < n_blocks; block++) {
            bool changes_shape = stage > 0 && block == 0;
            append_block(list, channels, changes_shape ? 2 : 1, changes_shape);
        }
    json_array_append_new(list, json_string("globalAvgPool"));
    json_array_append_new(list,
                          json_pack("{s:{s:I}}", "linear", "units", (json_int_t)input->n_outputs));
    return list;
}

const struct kd_preset kd_preset_resnet = {
    .name = "resnet",
    .summary = "a residual network for images of some 32 x 32 pixels",
    .fields = fields,
    .layers = layers,
};
