/* op_make_image.c - arguments of the ops of kernels/op_image.h. */
#include <inttypes.h>

#include "tests/bench/rates/op_make.h"

/* ---- convolutions: n, h = w, channels, kernel, stride, padding, c_out */

static struct kd_window window_of(const int64_t *d)
{
    return (struct kd_window){.n = d[0],
                              .h = d[1],
                              .w = d[1],
                              .channels = d[2],
                              .kernel = d[3],
                              .stride = d[4],
                              .padding = d[5]};
}

static int64_t n_in(const struct kd_window *window)
{
    return window->n * window->h * window->w * window->channels;
}

static int64_t n_out(const struct kd_window *window, int64_t channels)
{
    return window->n * kd_window_out(window, window->h) * kd_window_out(window, window->w) *
           channels;
}

static int64_t n_weights(const int64_t *d)
{
    return d[6] * d[3] * d[3] * d[2];
}

static void shape_of_convolution(struct desk *desk, const int64_t *d)
{
    desk_shape(desk,
               "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 " k%" PRId64 " s%" PRId64
               " -> %" PRId64,
               d[0], d[1], d[1], d[2], d[3], d[4], d[6]);
}

struct kd_call op_make_conv2d(struct desk *desk, const int64_t *d)
{
    struct kd_window window = window_of(d);
    shape_of_convolution(desk, d);
    return KD_CALL(conv2d, .x = desk_values_in(desk, n_in(&window)),
                   .weight = desk_values_in(desk, n_weights(d)),
                   .y = desk_values_out(desk, n_out(&window, d[6])), .window = window,
                   .c_out = d[6]);
}

struct kd_call op_make_conv2d_backward_x(struct desk *desk, const int64_t *d)
{
    struct kd_window window = window_of(d);
    shape_of_convolution(desk, d);
    return KD_CALL(conv2d_backward_x, .dy = desk_values_in(desk, n_out(&window, d[6])),
                   .weight = desk_values_in(desk, n_weights(d)),
                   .dx = desk_values_out(desk, n_in(&window)), .window = window, .c_out = d[6]);
}

struct kd_call op_make_conv2d_backward_weight(struct desk *desk, const int64_t *d)
{
    struct kd_window window = window_of(d);
    shape_of_convolution(desk, d);
    return KD_CALL(conv2d_backward_weight, .dy = desk_values_in(desk, n_out(&window, d[6])),
                   .x = desk_values_in(desk, n_in(&window)),
                   .dweight = desk_out(desk, n_weights(d)), .window = window, .c_out = d[6]);
}

/* ---- batch normalisation: n, positions, channels, activation */

static void shape_of_rows(struct desk *desk, const int64_t *d, bool has_activation)
{
    desk_shape(desk, "%" PRId64 "x%" PRId64 "x%" PRId64 "%s", d[0], d[1], d[2],
               has_activation ? op_activation_name(d[3]) : "");
}

struct kd_call op_make_batchnorm_sums(struct desk *desk, const int64_t *d)
{
    int64_t rows = d[0] * d[1], channels = d[2];
    shape_of_rows(desk, d, false);
    return KD_CALL(batchnorm_sums, .x = desk_values_in(desk, rows * channels),
                   .sums = desk_out_doubles(desk, 2 * channels), .rows = rows,
                   .channels = channels);
}

struct kd_call op_make_batchnorm(struct desk *desk, const int64_t *d)
{
    int64_t rows = d[0] * d[1], channels = d[2];
    shape_of_rows(desk, d, true);
    return KD_CALL(
        batchnorm, .x = desk_values_in(desk, rows * channels), .weight = desk_in(desk, channels),
        .bias = desk_in(desk, channels), .y = desk_values_out(desk, rows * channels),
        .sums = desk_in_doubles(desk, 2 * channels), .saved = desk_out(desk, 2 * channels),
        .running_mean = desk_change(desk, channels),
        .running_variance = desk_change(desk, channels), .turn = desk_in_turn(desk, d[0], d[0]),
        .rows = rows, .channels = channels, .positions = d[1], .momentum = 0.1f, .epsilon = 1e-5f,
        .activation = (enum kd_activation)d[3], .training = true);
}

/* y is read for the sign of relu alone. */
static const void *output_of(struct desk *desk, const int64_t *d)
{
    return d[3] == KD_ACTIVATION_RELU ? desk_values_in(desk, d[0] * d[1] * d[2]) : NULL;
}

struct kd_call op_make_batchnorm_backward_sums(struct desk *desk, const int64_t *d)
{
    int64_t rows = d[0] * d[1], channels = d[2];
    shape_of_rows(desk, d, true);
    return KD_CALL(batchnorm_backward_sums, .dy = desk_values_in(desk, rows * channels),
                   .x = desk_values_in(desk, rows * channels), .y = output_of(desk, d),
                   .saved = desk_in(desk, 2 * channels),
                   .sums = desk_out_doubles(desk, 2 * channels),
                   .dweight = desk_out(desk, channels), .dbias = desk_out(desk, channels),
                   .rows = rows, .channels = channels, .activation = (enum kd_activation)d[3]);
}

struct kd_call op_make_batchnorm_backward(struct desk *desk, const int64_t *d)
{
    int64_t rows = d[0] * d[1], channels = d[2];
    shape_of_rows(desk, d, true);
    return KD_CALL(batchnorm_backward, .dy = desk_values_in(desk, rows * channels),
                   .x = desk_values_in(desk, rows * channels), .y = output_of(desk, d),
                   .saved = desk_in(desk, 2 * channels), .weight = desk_in(desk, channels),
                   .sums = desk_in_doubles(desk, 2 * channels),
                   .dx = desk_values_out(desk, rows * channels),
                   .turn = desk_in_turn(desk, d[0], d[0]), .rows = rows, .channels = channels,
                   .positions = d[1], .activation = (enum kd_activation)d[3]);
}

/* ---- pooling: n, h = w, channels, kernel, stride, padding */

static void shape_of_pool(struct desk *desk, const int64_t *d)
{
    desk_shape(desk, "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 " k%" PRId64 " s%" PRId64, d[0],
               d[1], d[1], d[2], d[3], d[4]);
}

struct kd_call op_make_max_pool(struct desk *desk, const int64_t *d)
{
    struct kd_window window = window_of(d);
    int64_t n = n_out(&window, window.channels);
    shape_of_pool(desk, d);
    return KD_CALL(max_pool, .x = desk_values_in(desk, n_in(&window)),
                   .y = desk_values_out(desk, n), .chosen = desk_out_bytes(desk, n),
                   .window = window);
}

struct kd_call op_make_max_pool_backward(struct desk *desk, const int64_t *d)
{
    struct kd_window window = window_of(d);
    int64_t n = n_out(&window, window.channels);
    shape_of_pool(desk, d);
    /* Any place of a window: the cases have no padding, so that each lies in the image. */
    return KD_CALL(max_pool_backward, .dy = desk_values_in(desk, n),
                   .chosen = desk_in_bytes(desk, n, window.kernel * window.kernel),
                   .dx = desk_values_out(desk, n_in(&window)), .window = window);
}

struct kd_call op_make_avg_pool(struct desk *desk, const int64_t *d)
{
    struct kd_window window = window_of(d);
    shape_of_pool(desk, d);
    return KD_CALL(avg_pool, .x = desk_values_in(desk, n_in(&window)),
                   .y = desk_values_out(desk, n_out(&window, window.channels)), .window = window);
}

struct kd_call op_make_avg_pool_backward(struct desk *desk, const int64_t *d)
{
    struct kd_window window = window_of(d);
    shape_of_pool(desk, d);
    return KD_CALL(avg_pool_backward, .dy = desk_values_in(desk, n_out(&window, window.channels)),
                   .dx = desk_values_out(desk, n_in(&window)), .window = window);
}

/* n, positions, channels */
struct kd_call op_make_mean_pool(struct desk *desk, const int64_t *d)
{
    shape_of_rows(desk, d, false);
    return KD_CALL(mean_pool, .x = desk_values_in(desk, d[0] * d[1] * d[2]),
                   .y = desk_values_out(desk, d[0] * d[2]), .n = d[0], .positions = d[1],
                   .channels = d[2]);
}

struct kd_call op_make_mean_pool_backward(struct desk *desk, const int64_t *d)
{
    shape_of_rows(desk, d, false);
    return KD_CALL(mean_pool_backward, .dy = desk_values_in(desk, d[0] * d[2]),
                   .dx = desk_values_out(desk, d[0] * d[1] * d[2]), .n = d[0], .positions = d[1],
                   .channels = d[2]);
}
