/* check_conv.h - convolutions (kernels/op_image.h) against a float64 reference. */
#ifndef KD_TESTS_CHECK_CONV_H
#define KD_TESTS_CHECK_CONV_H

#include "tests/kernels/buffer.h"
#include "tests/kernels/windows.h"

/* Three arrays in double, of which the visitor makes one from the two others. */
struct conv_reference {
    const struct window_case *c;
    double *x, *y, *weight;
};

static int64_t conv_weight_at(const struct conv_reference *r, int64_t o, int64_t tap, int64_t c)
{
    const struct kd_window *w = &r->c->window;
    return (o * w->kernel * w->kernel + tap) * w->channels + c;
}

#define CONV_VISIT(name, statement)                                                                \
    static void name(void *ud, int64_t out, int64_t in, int64_t tap)                               \
    {                                                                                              \
        struct conv_reference *r = ud;                                                             \
        int64_t channels = r->c->window.channels, c_out = r->c->c_out;                             \
        for (int64_t o = 0; o < c_out; o++)                                                        \
            for (int64_t c = 0; c < channels; c++) {                                               \
                double *x = r->x + in * channels + c, *y = r->y + out * c_out + o;                 \
                double *weight = r->weight + conv_weight_at(r, o, tap, c);                         \
                statement;                                                                         \
            }                                                                                      \
    }
CONV_VISIT(conv_forward, *y += *x * *weight)
CONV_VISIT(conv_backward_x, *x += *y * *weight)
CONV_VISIT(conv_backward_weight, *weight += *x * *y)

struct conv_buffers {
    struct buffer x, y, weight, bias;
};

/* weight_stored: values, or the floats of its gradient. */
static struct conv_buffers conv_buffers(struct bench *bench, const struct window_case *c,
                                        enum kd_precision weight_stored)
{
    int64_t taps = c->window.kernel * c->window.kernel;
    return (struct conv_buffers){
        .x = values_random(bench, window_x(&c->window), 1),
        .y = values_random(bench, window_pixels(&c->window) * c->c_out, 1),
        .weight = buffer_stored(bench, weight_stored, c->c_out * taps * c->window.channels, 1),
        .bias = values_random(bench, c->c_out, 1),
    };
}

static void conv_free(struct bench *bench, struct conv_buffers *b)
{
    buffer_free(bench, &b->x), buffer_free(bench, &b->y);
    buffer_free(bench, &b->weight), buffer_free(bench, &b->bias);
}

static struct conv_reference conv_reference(const struct window_case *c,
                                            const struct conv_buffers *b)
{
    return (struct conv_reference){.c = c,
                                   .x = buffer_doubles(&b->x),
                                   .y = buffer_doubles(&b->y),
                                   .weight = buffer_doubles(&b->weight)};
}

static void conv_reference_free(struct conv_reference *r)
{
    free(r->x), free(r->y), free(r->weight);
}

/* Channels in eights, of which tiles on tensor cores are made: less than a tile and more, pixels
 * and steps that end within one, windows that see nothing, pixels that no window sees, and no
 * pixels at all. */
static const struct window_case in_eights[] = {
    {{0, 5, 5, 8, 3, 1, 1}, 8},    {{1, 1, 1, 8, 1, 1, 0}, 8},    {{1, 1, 1, 24, 3, 1, 1}, 40},
    {{2, 9, 7, 24, 3, 1, 1}, 136}, {{1, 5, 7, 64, 3, 2, 1}, 40},  {{2, 6, 5, 72, 1, 2, 0}, 8},
    {{1, 7, 7, 40, 2, 1, 0}, 24},  {{1, 10, 9, 8, 5, 3, 2}, 136}, {{1, 9, 8, 8, 7, 2, 3}, 64},
    {{3, 4, 4, 16, 3, 1, 4}, 16},  {{1, 13, 3, 8, 2, 3, 0}, 8},   {{1, 2, 2, 136, 3, 3, 2}, 72},
    {{3, 12, 9, 8, 3, 1, 0}, 72},  {{1, 33, 1, 8, 3, 2, 1}, 8},   {{1, 4, 4, 8, 1, 3, 1}, 8},
    {{2, 3, 3, 0, 3, 1, 1}, 8},    {{2, 3, 3, 8, 3, 2, 1}, 0},
};

/* As many pixels as make a GPU take large tiles; not of weights' gradients, whose sums would be too
 * long to compare. */
static const struct window_case many_tiles[] = {
    {{16, 32, 32, 8, 3, 1, 1}, 72},
    {{16, 32, 32, 72, 3, 1, 1}, 8},
};

static bool is_in_16_bits(const struct bench *bench)
{
    return kd_precision_bytes(bench->precision) == 2;
}

/* A GPU's tensor cores add to sums of fp32 without rounding: what is beyond is cut off, and errors
 * of one sign do not cancel. */
static void conv_compare(struct bench *bench, struct buffer *got, const double *want,
                         const char *what)
{
    buffer_compare_within(bench, got, want, is_in_16_bits(bench) ? 1e-4 : 2e-5, what);
}

static void check_one_conv2d(struct bench *bench, const struct window_case *c, bool with_bias)
{
    struct conv_buffers b = conv_buffers(bench, c, bench->precision);
    struct conv_reference r = conv_reference(c, &b);
    for (int64_t i = 0; i < b.y.n; i++)
        r.y[i] = with_bias ? (double)b.bias.host[i % c->c_out] : 0;
    each_tap(&c->window, conv_forward, &r);
    run(bench, KD_CALL(conv2d, .x = b.x.device, .weight = b.weight.device,
                       .bias = with_bias ? b.bias.device : NULL, .y = b.y.device,
                       .window = c->window, .c_out = c->c_out));
    conv_compare(bench, &b.y, r.y, "y");
    conv_reference_free(&r);
    conv_free(bench, &b);
}

static void check_conv2d(struct bench *bench)
{
    for (size_t i = 0; i < KD_COUNT(window_cases); i++)
        for (int bias = 0; bias < 2; bias++)
            check_one_conv2d(bench, &window_cases[i], bias);
    for (size_t i = 0; i < KD_COUNT(in_eights) && is_in_16_bits(bench); i++)
        for (int bias = 0; bias < 2; bias++)
            check_one_conv2d(bench, &in_eights[i], bias);
    for (size_t i = 0; i < KD_COUNT(many_tiles) && is_in_16_bits(bench) && !bench->is_slow; i++)
        check_one_conv2d(bench, &many_tiles[i], true);
}

static void check_one_conv2d_backward_x(struct bench *bench, const struct window_case *c,
                                        float beta)
{
    struct conv_buffers b = conv_buffers(bench, c, bench->precision);
    struct conv_reference r = conv_reference(c, &b);
    buffer_start(bench, &b.x, r.x, beta);
    each_tap(&c->window, conv_backward_x, &r);
    run(bench, KD_CALL(conv2d_backward_x, .dy = b.y.device, .weight = b.weight.device,
                       .dx = b.x.device, .window = c->window, .c_out = c->c_out, .beta = beta));
    conv_compare(bench, &b.x, r.x, "dx");
    conv_reference_free(&r);
    conv_free(bench, &b);
}

static void check_conv2d_backward_x(struct bench *bench)
{
    for (size_t i = 0; i < KD_COUNT(window_cases); i++)
        for (int beta = 0; beta < 2; beta++)
            check_one_conv2d_backward_x(bench, &window_cases[i], (float)beta);
    for (size_t i = 0; i < KD_COUNT(in_eights) && is_in_16_bits(bench); i++)
        for (int beta = 0; beta < 2; beta++)
            check_one_conv2d_backward_x(bench, &in_eights[i], (float)beta);
    for (size_t i = 0; i < KD_COUNT(many_tiles) && is_in_16_bits(bench) && !bench->is_slow; i++)
        check_one_conv2d_backward_x(bench, &many_tiles[i], 1.0f);
}

static void check_one_conv2d_backward_weight(struct bench *bench, const struct window_case *c,
                                             float beta)
{
    struct conv_buffers b = conv_buffers(bench, c, KD_PRECISION_FP32);
    struct conv_reference r = conv_reference(c, &b);
    buffer_start(bench, &b.weight, r.weight, beta);
    each_tap(&c->window, conv_backward_weight, &r);
    run(bench,
        KD_CALL(conv2d_backward_weight, .dy = b.y.device, .x = b.x.device,
                .dweight = b.weight.device, .window = c->window, .c_out = c->c_out, .beta = beta));
    conv_compare(bench, &b.weight, r.weight, "dweight");
    conv_reference_free(&r);
    conv_free(bench, &b);
}

/* Sums over so many pixels that a device may cut them into parts. */
static const struct window_case many_pixels[] = {
    {{2, 20, 17, 5, 3, 1, 1}, 7}, {{3, 33, 31, 3, 3, 2, 1}, 9},   {{1, 40, 40, 2, 1, 1, 0}, 3},
    {{2, 20, 33, 8, 3, 1, 1}, 8}, {{5, 23, 21, 16, 2, 2, 1}, 72},
};

static void check_conv2d_backward_weight(struct bench *bench)
{
    for (size_t i = 0; i < KD_COUNT(window_cases); i++)
        for (int beta = 0; beta < 2; beta++)
            check_one_conv2d_backward_weight(bench, &window_cases[i], (float)beta);
    for (size_t i = 0; i < KD_COUNT(many_pixels); i++)
        for (int beta = 0; beta < 2; beta++)
            check_one_conv2d_backward_weight(bench, &many_pixels[i], (float)beta);
    for (size_t i = 0; i < KD_COUNT(in_eights) && is_in_16_bits(bench); i++)
        for (int beta = 0; beta < 2; beta++)
            check_one_conv2d_backward_weight(bench, &in_eights[i], (float)beta);
}

#endif
