#include "trainer/models/window.h"

#include <inttypes.h>

enum { SIZE, STRIDE, PADDING };
enum { ROWS, COLUMNS, CHANNELS };

/* The place within a window is kept in a byte. */
enum { POOL_SIZE_MAX = 15 };

int kd_sliding_shape(struct kd_node *node, struct kd_sliding sliding, int64_t channels_out,
                     struct kd_error *err)
{
    char text[KD_SHAPE_TEXT_MAX];
    if (node->in.n_dims != 3)
        return kd_fail(err, "is given %s, but needs an image, rows x columns x channels",
                       kd_shape_text(node->in, text));
    int64_t least = sliding.kernel - 2 * sliding.padding;
    if (node->in.dims[ROWS] < least || node->in.dims[COLUMNS] < least)
        return kd_fail(err,
                       "is given %s, but a window of %" PRId64 " x %" PRId64 " with a padding of "
                       "%" PRId64 " needs at least %" PRId64 " rows and columns",
                       kd_shape_text(node->in, text), sliding.kernel, sliding.kernel,
                       sliding.padding, least);
    struct kd_window window = kd_sliding_window(node, sliding, 1);
    node->out = (struct kd_shape){
        {kd_window_out(&window, window.h), kd_window_out(&window, window.w), channels_out},
        .n_dims = 3};
    return 0;
}

struct kd_window kd_sliding_window(const struct kd_node *node, struct kd_sliding sliding, int64_t n)
{
    return (struct kd_window){.n = n,
                              .h = node->in.dims[ROWS],
                              .w = node->in.dims[COLUMNS],
                              .channels = node->in.dims[CHANNELS],
                              .kernel = sliding.kernel,
                              .stride = sliding.stride,
                              .padding = sliding.padding};
}

const struct kd_field kd_pool_fields[] = {
    {.name = "size",
     .kind = KD_FIELD_INTEGER,
     .fallback = 2,
     .min = 1,
     .max = POOL_SIZE_MAX,
     .help = "rows and columns of the window"},
    {.name = "stride",
     .kind = KD_FIELD_INTEGER,
     .fallback = 0,
     .min = 0,
     .max = 1024,
     .help = "rows and columns from one window to the next; 0: as many as the window has"},
    {.name = "padding",
     .kind = KD_FIELD_INTEGER,
     .fallback = 0,
     .min = 0,
     .max = POOL_SIZE_MAX / 2,
     .help = "rows and columns around the image, at most half of size"},
    {.name = NULL},
};

struct kd_sliding kd_pool_sliding(const struct kd_node *node)
{
    const double *settings = node->settings;
    return (struct kd_sliding){
        .kernel = (int64_t)settings[SIZE],
        .stride = (int64_t)(settings[STRIDE] > 0 ? settings[STRIDE] : settings[SIZE]),
        .padding = (int64_t)settings[PADDING],
    };
}

int kd_pool_shape(struct kd_node *node, const struct kd_model *model, struct kd_error *err)
{
    (void)model;
    struct kd_sliding sliding = kd_pool_sliding(node);
    if (sliding.padding > sliding.kernel / 2)
        return kd_fail(err,
                       "padding %" PRId64 " is more than half of size %" PRId64
                       ", so that some windows would hold nothing but padding",
                       sliding.padding, sliding.kernel);
    return kd_sliding_shape(node, sliding, kd_shape_last(node->in), err);
}
