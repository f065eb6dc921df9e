/* check_image.h - every op of kernels/op_image.h against a float64 reference. */
#ifndef KD_TESTS_CHECK_IMAGE_H
#define KD_TESTS_CHECK_IMAGE_H

#include <string.h>

#include "tests/kernels/buffer.h"

/* ---- windows */

struct window_case {
    struct kd_window window;
    int64_t c_out;
};

/* What real models have (3 channels in, stride 2, 1 x 1, 7 x 7), and what is odd or empty. */
static const struct window_case window_cases[] = {
    {{0, 5, 5, 3, 3, 1, 1}, 4},     {{1, 1, 1, 1, 1, 1, 0}, 1},    {{2, 8, 8, 3, 3, 1, 1}, 32},
    {{2, 7, 9, 16, 3, 2, 1}, 16},   {{1, 6, 5, 17, 3, 1, 1}, 33},  {{3, 8, 8, 16, 1, 2, 0}, 32},
    {{1, 6, 7, 33, 1, 1, 0}, 5},    {{1, 14, 14, 3, 7, 2, 3}, 20}, {{2, 5, 6, 4, 2, 2, 0}, 7},
    {{1, 9, 9, 5, 5, 1, 2}, 3},     {{1, 4, 4, 64, 3, 1, 1}, 64},  {{1, 3, 3, 2, 3, 1, 0}, 2},
    {{2, 6, 6, 130, 3, 1, 1}, 1},   {{2, 1, 7, 20, 1, 1, 1}, 8},   {{1, 8, 8, 31, 4, 3, 1}, 15},
    {{5, 4, 4, 8, 2, 1, 1}, 8},     {{2, 5, 5, 0, 3, 1, 1}, 3},    {{2, 5, 5, 3, 3, 1, 1}, 0},
    {{1, 11, 10, 16, 6, 2, 3}, 16}, {{1, 5, 5, 16, 2, 3, 0}, 16},
};

static int64_t window_x(const struct kd_window *w)
{
    return w->n * w->h * w->w * w->channels;
}

static int64_t window_pixels(const struct kd_window *w)
{
    return w->n * kd_window_out(w, w->h) * kd_window_out(w, w->w);
}

/* Calls visit(ud, out, in, tap) for each pixel that each output pixel's window has in the image: the numbers of the pixels
 * and the place in the window. */
typedef void visit_fn(void *ud, int64_t out, int64_t in, int64_t tap);

static void each_tap(const struct kd_window *w, visit_fn *visit, void *ud)
{
    int64_t h_out = kd_window_out(w, w->h), w_out = kd_window_out(w, w->w);
    for (int64_t out = 0; out < window_pixels(w); out++)
        for (int64_t tap = 0; tap < w->kernel * w->kernel; tap++) {
            int64_t n = out / (h_out * w_out), i = out / w_out % h_out, j = out % w_out;
            int64_t row = i * w->stride - w->padding + tap / w->kernel;
            int64_t column = j * w->stride - w->padding + tap % w->kernel;
            if (row >= 0 && row < w->h && column >= 0 && column < w->w)
                visit(ud, out, (n * w->h + row) * w->w + column, tap);
        }
}

/* ---- convolution */

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

static struct conv_buffers conv_buffers(struct bench *bench, const struct window_case *c)
{
    int64_t taps = c->window.kernel * c->window.kernel;
    return (struct conv_buffers){
        .x = buffer_random(bench, window_x(&c->window), 1),
        .y = buffer_random(bench, window_pixels(&c->window) * c->c_out, 1),
        .weight = buffer_random(bench, c->c_out * taps * c->window.channels, 1),
        .bias = buffer_random(bench, c->c_out, 1),
    };
}

static void conv_free(struct bench *bench, struct conv_buffers *b)
{
    buffer_free(bench, &b->x), buffer_free(bench, &b->y);
    buffer_free(bench, &b->weight), buffer_free(bench, &b->bias);
}

static double *doubles_of(const struct buffer *b)
{
    double *result = KD_NEW_ARRAY(double, (size_t)b->n + 1);
    for (int64_t i = 0; i < b->n; i++)
        result[i] = (double)b->host[i];
    return result;
}

static struct conv_reference conv_reference(const struct window_case *c,
                                            const struct conv_buffers *b)
{
    return (struct conv_reference){
        .c = c, .x = doubles_of(&b->x), .y = doubles_of(&b->y), .weight = doubles_of(&b->weight)};
}

/* Sums of up to some thousand products of numbers below 1, whose roundings add up like a walk. */
static void conv_compare(struct bench *bench, struct buffer *got, const double *want,
                         const char *what)
{
    buffer_read(bench, got);
    for (int64_t i = 0; i < got->n; i++)
        assert_near(got->host[i], want[i], 2e-5, what, i);
}

static void conv_reference_free(struct conv_reference *r)
{
    free(r->x), free(r->y), free(r->weight);
}

static void check_one_conv2d(struct bench *bench, const struct window_case *c, bool with_bias)
{
    struct conv_buffers b = conv_buffers(bench, c);
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
}

/* With 0 what was there is not read, not even a NaN. */
static void start_from(struct bench *bench, struct buffer *b, double *want, float beta)
{
    for (int64_t i = 0; i < b->n; i++) {
        want[i] *= (double)beta;
        if (beta == 0.0f)
            b->host[i] = NAN, want[i] = 0;
    }
    buffer_write(bench, b);
}

static void check_one_conv2d_backward_x(struct bench *bench, const struct window_case *c,
                                        float beta)
{
    struct conv_buffers b = conv_buffers(bench, c);
    struct conv_reference r = conv_reference(c, &b);
    start_from(bench, &b.x, r.x, beta);
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
}

static void check_one_conv2d_backward_weight(struct bench *bench, const struct window_case *c,
                                             float beta)
{
    struct conv_buffers b = conv_buffers(bench, c);
    struct conv_reference r = conv_reference(c, &b);
    start_from(bench, &b.weight, r.weight, beta);
    each_tap(&c->window, conv_backward_weight, &r);
    run(bench,
        KD_CALL(conv2d_backward_weight, .dy = b.y.device, .x = b.x.device,
                .dweight = b.weight.device, .window = c->window, .c_out = c->c_out, .beta = beta));
    conv_compare(bench, &b.weight, r.weight, "dweight");
    conv_reference_free(&r);
    conv_free(bench, &b);
}

static void check_conv2d_backward_weight(struct bench *bench)
{
    for (size_t i = 0; i < KD_COUNT(window_cases); i++)
        for (int beta = 0; beta < 2; beta++)
            check_one_conv2d_backward_weight(bench, &window_cases[i], (float)beta);
}

/* ---- batch normalisation */

enum { BATCHNORM_RANKS = 3 }; /* as many times this rank's rows are in the global batch */

struct batchnorm_case {
    int64_t rows, channels;
    bool relu;
};

struct batchnorm_buffers {
    struct buffer x, weight, bias, y, saved, running_mean, running_variance, dy, dx, dweight, dbias;
};

static struct batchnorm_buffers batchnorm_buffers(struct bench *bench, int64_t rows,
                                                  int64_t channels)
{
    int64_t n = rows * channels;
    struct batchnorm_buffers b = {
        .x = buffer_random(bench, n, 2),
        .weight = buffer_random(bench, channels, 1),
        .bias = buffer_random(bench, channels, 1),
        .y = buffer_random(bench, n, 1),
        .saved = buffer_random(bench, 2 * channels, 1),
        .running_mean = buffer_random(bench, channels, 1),
        .running_variance = buffer_random(bench, channels, 1),
        .dy = buffer_random(bench, n, 1),
        .dx = buffer_random(bench, n, 1),
        .dweight = buffer_random(bench, channels, 1),
        .dbias = buffer_random(bench, channels, 1),
    };
    for (int64_t i = 0; i < n; i++)
        b.x.host[i] += (float)(i % channels % 5); /* means that are not zero */
    for (int64_t c = 0; c < channels; c++)
        b.running_variance.host[c] = 0.5f + fabsf(b.running_variance.host[c]);
    buffer_write(bench, &b.x), buffer_write(bench, &b.running_variance);
    return b;
}

static void batchnorm_free(struct bench *bench, struct batchnorm_buffers *b)
{
    struct buffer *all = &b->x;
    for (size_t i = 0; i < sizeof *b / sizeof *all; i++)
        buffer_free(bench, &all[i]);
}

static const float batchnorm_epsilon = 1e-5f, batchnorm_momentum = 0.1f;

/* What a channel's mean and 1 / deviation are in double. */
struct channel {
    double mean, variance, rstd;
};

static struct channel channel_of(const struct batchnorm_buffers *b, int64_t rows, int64_t channels,
                                 int64_t c)
{
    struct channel result = {0};
    for (int64_t i = 0; i < rows; i++)
        result.mean += (double)b->x.host[i * channels + c] / (double)rows;
    for (int64_t i = 0; i < rows; i++) {
        double distance = (double)b->x.host[i * channels + c] - result.mean;
        result.variance += distance * distance / (double)rows;
    }
    result.rstd = 1 / sqrt(result.variance + (double)batchnorm_epsilon);
    return result;
}

/* The sums as the plan has them after summing over ranks that all have the same rows. */
static double *batchnorm_sums_of(struct bench *bench, const struct batchnorm_buffers *b,
                                 int64_t rows, int64_t channels)
{
    double *sums = bench->device->alloc((size_t)channels * 2 * sizeof *sums);
    double *host = KD_NEW_ARRAY(double, 2 * (size_t)channels + 1);
    run(bench, KD_CALL(batchnorm_sums, .x = b->x.device, .sums = sums, .rows = rows,
                       .channels = channels));
    bench->device->copy_out(bench->queue, host, sums, (size_t)channels * 2 * sizeof *sums);
    bench->device->wait(bench->queue);
    for (int64_t c = 0; c < 2 * channels; c++) {
        double want = 0;
        for (int64_t i = 0; i < rows; i++) {
            double x = b->x.host[i * channels + c % channels];
            want += c < channels ? x : x * x;
        }
        assert_near(host[c], want, 1e-12, "sums", c);
        host[c] *= BATCHNORM_RANKS;
    }
    bench->device->copy_in(bench->queue, sums, host, (size_t)channels * 2 * sizeof *sums);
    free(host);
    return sums;
}

static void check_batchnorm_sums(struct bench *bench)
{
    FOR_SIZES(rows)
    FOR_SIZES(channels)
    {
        struct batchnorm_buffers b = batchnorm_buffers(bench, rows, channels);
        bench->device->free(batchnorm_sums_of(bench, &b, rows, channels));
        batchnorm_free(bench, &b);
    }
}

static void run_batchnorm(struct bench *bench, const struct batchnorm_buffers *b,
                          const struct batchnorm_case *c, const double *sums,
                          const struct kd_turn *turn, bool training)
{
    run(bench, KD_CALL(batchnorm, .x = b->x.device, .weight = b->weight.device,
                       .bias = b->bias.device, .y = b->y.device, .sums = sums,
                       .saved = b->saved.device, .running_mean = b->running_mean.device,
                       .running_variance = b->running_variance.device, .turn = turn,
                       .rows = c->rows, .channels = c->channels, .positions = 1,
                       .momentum = batchnorm_momentum, .epsilon = batchnorm_epsilon,
                       .activation = c->relu ? KD_ACTIVATION_RELU : KD_ACTIVATION_NONE,
                       .training = training));
}

static void *turn_of(struct bench *bench, int64_t n_global)
{
    const struct kd_turn turn = {.n_global = n_global};
    return to_device(bench, &turn, sizeof turn);
}

/* y of the rows, given what each channel is shifted and divided by. */
static void batchnorm_compare_y(struct bench *bench, struct batchnorm_buffers *b,
                                const struct batchnorm_case *c, int64_t channel,
                                struct channel with)
{
    for (int64_t i = 0; i < c->rows; i++) {
        int64_t at = i * c->channels + channel;
        double y =
            ((double)b->x.host[at] - with.mean) * with.rstd * (double)b->weight.host[channel] +
            (double)b->bias.host[channel];
        /* Rows of one value: the deviation is that of rounding. */
        assert_near(b->y.host[at], c->relu && y < 0 ? 0 : y, c->rows < 4 ? 2e-4 : 5e-6, "y", at);
    }
    (void)bench;
}

static void check_batchnorm_training(struct bench *bench, const struct batchnorm_case *c)
{
    struct batchnorm_buffers b = batchnorm_buffers(bench, c->rows, c->channels);
    double n = (double)(c->rows * BATCHNORM_RANKS);
    double *sums = batchnorm_sums_of(bench, &b, c->rows, c->channels);
    void *turn = turn_of(bench, c->rows * BATCHNORM_RANKS);
    double *mean = doubles_of(&b.running_mean), *variance = doubles_of(&b.running_variance);
    run_batchnorm(bench, &b, c, sums, turn, true);
    buffer_read(bench, &b.y), buffer_read(bench, &b.saved);
    buffer_read(bench, &b.running_mean), buffer_read(bench, &b.running_variance);
    for (int64_t i = 0; i < c->channels && c->rows; i++) {
        struct channel channel = channel_of(&b, c->rows, c->channels, i);
        assert_near(b.saved.host[i], channel.mean, 1e-6, "mean", i);
        assert_near(b.saved.host[c->channels + i], channel.rstd, 1e-4, "rstd", i);
        assert_near(b.running_mean.host[i], 0.9 * mean[i] + 0.1 * channel.mean, 1e-6, "running", i);
        assert_near(b.running_variance.host[i],
                    0.9 * variance[i] + 0.1 * channel.variance * n / (n - 1), 1e-6, "running", i);
        batchnorm_compare_y(bench, &b, c, i, channel);
    }
    free(mean), free(variance);
    bench->device->free(sums), bench->device->free(turn);
    batchnorm_free(bench, &b);
}

/* Outside training, and while training on a global batch of one row, the running statistics count, and stay. */
static void check_batchnorm_running(struct bench *bench, const struct batchnorm_case *c,
                                    bool training)
{
    struct batchnorm_buffers b = batchnorm_buffers(bench, c->rows, c->channels);
    double *sums = batchnorm_sums_of(bench, &b, c->rows, c->channels);
    double *mean = doubles_of(&b.running_mean), *variance = doubles_of(&b.running_variance);
    void *turn = turn_of(bench, 1);
    run_batchnorm(bench, &b, c, sums, turn, training);
    buffer_read(bench, &b.y);
    buffer_read(bench, &b.running_mean), buffer_read(bench, &b.running_variance);
    for (int64_t i = 0; i < c->channels; i++) {
        assert_true((double)b.running_mean.host[i] == mean[i]);
        assert_true((double)b.running_variance.host[i] == variance[i]);
        double rstd = 1 / sqrt(variance[i] + (double)batchnorm_epsilon);
        batchnorm_compare_y(bench, &b, c, i, (struct channel){.mean = mean[i], .rstd = rstd});
    }
    free(mean), free(variance);
    bench->device->free(sums), bench->device->free(turn);
    batchnorm_free(bench, &b);
}

static void check_batchnorm(struct bench *bench)
{
    FOR_SIZES(rows)
    FOR_SIZES(channels)
    for (int relu = 0; relu < 2; relu++) {
        const struct batchnorm_case c = {rows, channels, relu};
        check_batchnorm_training(bench, &c);
        check_batchnorm_running(bench, &c, false);
        if (rows == 1)
            check_batchnorm_running(bench, &c, true);
    }
}

/* The channel's reference: g where the output is positive (or everywhere), its sum and that of g xhat. */
static double batchnorm_g(const struct batchnorm_buffers *b, const struct batchnorm_case *c,
                          int64_t at)
{
    return c->relu && b->y.host[at] <= 0.0f ? 0 : (double)b->dy.host[at];
}

static double batchnorm_xhat(const struct batchnorm_buffers *b, const struct batchnorm_case *c,
                             int64_t at)
{
    int64_t channel = at % c->channels;
    return ((double)b->x.host[at] - (double)b->saved.host[channel]) *
           (double)b->saved.host[c->channels + channel];
}

/* Random means and deviations do here, since the sums are of what `saved` says. y's signs are random too. */
static struct batchnorm_buffers batchnorm_backward_buffers(struct bench *bench,
                                                           const struct batchnorm_case *c)
{
    struct batchnorm_buffers b = batchnorm_buffers(bench, c->rows, c->channels);
    for (int64_t i = 0; i < b.saved.n; i++)
        b.saved.host[i] = 0.5f + fabsf(b.saved.host[i]);
    buffer_write(bench, &b.saved);
    return b;
}

static double *run_backward_sums(struct bench *bench, const struct batchnorm_buffers *b,
                                 const struct batchnorm_case *c, float beta)
{
    double *sums = bench->device->alloc((size_t)c->channels * 2 * sizeof *sums);
    run(bench,
        KD_CALL(batchnorm_backward_sums, .dy = b->dy.device, .x = b->x.device, .y = b->y.device,
                .saved = b->saved.device, .sums = sums, .dweight = b->dweight.device,
                .dbias = b->dbias.device, .rows = c->rows, .channels = c->channels,
                .activation = c->relu ? KD_ACTIVATION_RELU : KD_ACTIVATION_NONE, .beta = beta));
    return sums;
}

static void check_one_backward_sums(struct bench *bench, const struct batchnorm_case *c)
{
    struct batchnorm_buffers b = batchnorm_backward_buffers(bench, c);
    bench->device->free(run_backward_sums(bench, &b, c, 0));
    double *sums = run_backward_sums(bench, &b, c, 1); /* adds the same once more */
    double *host = KD_NEW_ARRAY(double, 2 * (size_t)c->channels + 1);
    bench->device->copy_out(bench->queue, host, sums, (size_t)c->channels * 2 * sizeof *sums);
    buffer_read(bench, &b.dweight), buffer_read(bench, &b.dbias);
    for (int64_t i = 0; i < c->channels; i++) {
        double sum = 0, product = 0;
        for (int64_t at = i; at < b.x.n; at += c->channels) {
            sum += batchnorm_g(&b, c, at);
            product += batchnorm_g(&b, c, at) * batchnorm_xhat(&b, c, at);
        }
        assert_near(host[i], sum, 1e-9, "sums", i);
        assert_near(host[c->channels + i], product, 2e-6, "sums of products", i);
        assert_near(b.dbias.host[i], 2 * sum, 1e-6, "dbias", i);
        assert_near(b.dweight.host[i], 2 * product, 5e-6, "dweight", i);
    }
    free(host);
    bench->device->free(sums);
    batchnorm_free(bench, &b);
}

static void check_batchnorm_backward_sums(struct bench *bench)
{
    FOR_SIZES(rows)
    FOR_SIZES(channels)
    for (int relu = 0; relu < 2; relu++)
        check_one_backward_sums(bench, &(struct batchnorm_case){rows, channels, relu});
}

static void run_backward(struct bench *bench, const struct batchnorm_buffers *b,
                         const struct batchnorm_case *c, const double *sums,
                         const struct kd_turn *turn, float *dx, float beta)
{
    run(bench,
        KD_CALL(batchnorm_backward, .dy = b->dy.device, .x = b->x.device, .y = b->y.device,
                .saved = b->saved.device, .weight = b->weight.device, .sums = sums, .dx = dx,
                .turn = turn, .rows = c->rows, .channels = c->channels, .positions = 1,
                .activation = c->relu ? KD_ACTIVATION_RELU : KD_ACTIVATION_NONE, .beta = beta));
}

static double batchnorm_dx(const struct batchnorm_buffers *b, const struct batchnorm_case *c,
                           const double *sums, double n, int64_t at)
{
    int64_t channel = at % c->channels;
    double share = n > 1 ? 1 / n : 0;
    return (double)b->weight.host[channel] * (double)b->saved.host[c->channels + channel] *
           (batchnorm_g(b, c, at) - sums[channel] * share -
            batchnorm_xhat(b, c, at) * sums[c->channels + channel] * share);
}

/* With beta 0 and then 1; then over dy. */
static void check_one_batchnorm_backward(struct bench *bench, const struct batchnorm_case *c,
                                         int64_t n)
{
    struct batchnorm_buffers b = batchnorm_backward_buffers(bench, c);
    double *sums = run_backward_sums(bench, &b, c, 0);
    double *host = KD_NEW_ARRAY(double, 2 * (size_t)c->channels + 1);
    void *turn = turn_of(bench, n);
    bench->device->copy_out(bench->queue, host, sums, (size_t)c->channels * 2 * sizeof *sums);
    for (int beta = 0; beta < 2; beta++)
        run_backward(bench, &b, c, sums, turn, b.dx.device, (float)beta);
    buffer_read(bench, &b.dx);
    for (int64_t at = 0; at < b.dx.n; at++)
        assert_near(b.dx.host[at], 2 * batchnorm_dx(&b, c, host, (double)n, at), 1e-5, "dx", at);
    double *want = KD_NEW_ARRAY(double, (size_t)b.dy.n + 1);
    for (int64_t at = 0; at < b.dy.n; at++)
        want[at] = batchnorm_dx(&b, c, host, (double)n, at);
    run_backward(bench, &b, c, sums, turn, b.dy.device, 0);
    conv_compare(bench, &b.dy, want, "dx over dy");
    free(host), free(want);
    bench->device->free(sums), bench->device->free(turn);
    batchnorm_free(bench, &b);
}

static void check_batchnorm_backward(struct bench *bench)
{
    FOR_SIZES(rows)
    FOR_SIZES(channels)
    for (int relu = 0; relu < 2; relu++) {
        const struct batchnorm_case c = {rows, channels, relu};
        check_one_batchnorm_backward(bench, &c, rows * BATCHNORM_RANKS);
        if (rows == 1)
            check_one_batchnorm_backward(bench, &c, 1);
    }
}

/* ---- pooling */

struct pool_reference {
    const struct kd_window *window;
    const float *in; /* x, or dy */
    const uint8_t *chosen;
    double *out;
    int *at; /* max_pool: the place chosen, or -1 */
};

/* Windows that lie in the padding altogether are no pooling windows. */
static bool is_pool(const struct kd_window *w)
{
    return w->padding <= w->kernel / 2 && w->channels > 0;
}

static void max_forward(void *ud, int64_t out, int64_t in, int64_t tap)
{
    struct pool_reference *r = ud;
    for (int64_t c = 0; c < r->window->channels; c++) {
        double x = r->in[in * r->window->channels + c];
        int64_t to = out * r->window->channels + c;
        if (r->at[to] < 0 || x > r->out[to] || (isnan(x) && !isnan(r->out[to])))
            r->out[to] = x, r->at[to] = (int)tap;
    }
}

static void check_one_max_pool(struct bench *bench, const struct kd_window *w)
{
    struct buffer x = buffer_random(bench, window_x(w), 1);
    struct buffer y = buffer_random(bench, window_pixels(w) * w->channels, 1);
    for (int64_t i = 0; i < x.n; i++) /* equals, and a NaN here and there */
        x.host[i] = i % 29 == 7 ? NAN : roundf(4 * x.host[i]);
    buffer_write(bench, &x);
    uint8_t *chosen = bench->device->alloc((size_t)y.n + 1);
    uint8_t *got = KD_NEW_ARRAY(uint8_t, (size_t)y.n + 1);
    struct pool_reference r = {w, x.host, NULL, doubles_of(&y), KD_NEW_ARRAY(int, (size_t)y.n + 1)};
    memset(r.at, -1, ((size_t)y.n + 1) * sizeof *r.at);
    each_tap(w, max_forward, &r);
    run(bench, KD_CALL(max_pool, .x = x.device, .y = y.device, .chosen = chosen, .window = *w));
    bench->device->copy_out(bench->queue, got, chosen, (size_t)y.n);
    conv_compare(bench, &y, r.out, "y");
    for (int64_t i = 0; i < y.n; i++)
        assert_int_equal(got[i], r.at[i]);
    free(r.out), free(r.at), free(got);
    bench->device->free(chosen);
    buffer_free(bench, &x), buffer_free(bench, &y);
}

static void each_pool(struct bench *bench,
                      void (*check)(struct bench *bench, const struct kd_window *w))
{
    for (size_t i = 0; i < KD_COUNT(window_cases); i++)
        if (is_pool(&window_cases[i].window))
            check(bench, &window_cases[i].window);
    FOR_SIZES(channels) /* 2 x 2 and 3 x 3 with stride 2, as models have them */
    for (int64_t kernel = 2; kernel < 4; kernel++)
        check(bench, &(struct kd_window){2, 6, 8, channels, kernel, 2, kernel == 3});
}

static void check_max_pool(struct bench *bench)
{
    each_pool(bench, check_one_max_pool);
}

static void max_backward(void *ud, int64_t out, int64_t in, int64_t tap)
{
    struct pool_reference *r = ud;
    for (int64_t c = 0; c < r->window->channels; c++) {
        int64_t from = out * r->window->channels + c;
        if (r->chosen[from] == tap)
            r->out[in * r->window->channels + c] += (double)r->in[from];
    }
}

static void check_one_max_pool_backward(struct bench *bench, const struct kd_window *w)
{
    struct buffer dx = buffer_random(bench, window_x(w), 1);
    struct buffer dy = buffer_random(bench, window_pixels(w) * w->channels, 1);
    uint8_t *chosen = KD_NEW_ARRAY(uint8_t, (size_t)dy.n + 1);
    for (int64_t i = 0; i < dy.n; i++)
        chosen[i] = (uint8_t)kd_rng_below(&bench->rng, (uint64_t)(w->kernel * w->kernel));
    struct pool_reference r = {w, dy.host, chosen, doubles_of(&dx), NULL};
    start_from(bench, &dx, r.out, 0);
    each_tap(w, max_backward, &r);
    uint8_t *on_chosen = to_device(bench, chosen, (size_t)dy.n);
    run(bench, KD_CALL(max_pool_backward, .dy = dy.device, .chosen = on_chosen, .dx = dx.device,
                       .window = *w));
    conv_compare(bench, &dx, r.out, "dx");
    free(r.out), free(chosen);
    bench->device->free(on_chosen);
    buffer_free(bench, &dx), buffer_free(bench, &dy);
}

static void check_max_pool_backward(struct bench *bench)
{
    each_pool(bench, check_one_max_pool_backward);
}

static void avg_forward(void *ud, int64_t out, int64_t in, int64_t tap)
{
    struct pool_reference *r = ud;
    const struct kd_window *w = r->window;
    (void)tap;
    for (int64_t c = 0; c < w->channels; c++)
        r->out[out * w->channels + c] +=
            (double)r->in[in * w->channels + c] / (double)(w->kernel * w->kernel);
}

static void check_one_avg_pool(struct bench *bench, const struct kd_window *w)
{
    struct buffer x = buffer_random(bench, window_x(w), 1);
    struct buffer y = buffer_random(bench, window_pixels(w) * w->channels, 1);
    struct pool_reference r = {w, x.host, NULL, doubles_of(&y), NULL};
    start_from(bench, &y, r.out, 0);
    each_tap(w, avg_forward, &r);
    run(bench, KD_CALL(avg_pool, .x = x.device, .y = y.device, .window = *w));
    conv_compare(bench, &y, r.out, "y");
    free(r.out);
    buffer_free(bench, &x), buffer_free(bench, &y);
}

static void check_avg_pool(struct bench *bench)
{
    each_pool(bench, check_one_avg_pool);
}

static void avg_backward(void *ud, int64_t out, int64_t in, int64_t tap)
{
    avg_forward(ud, in, out, tap);
}

static void check_one_avg_pool_backward(struct bench *bench, const struct kd_window *w)
{
    struct buffer dx = buffer_random(bench, window_x(w), 1);
    struct buffer dy = buffer_random(bench, window_pixels(w) * w->channels, 1);
    struct pool_reference r = {w, dy.host, NULL, doubles_of(&dx), NULL};
    start_from(bench, &dx, r.out, 0);
    each_tap(w, avg_backward, &r);
    run(bench, KD_CALL(avg_pool_backward, .dy = dy.device, .dx = dx.device, .window = *w));
    conv_compare(bench, &dx, r.out, "dx");
    free(r.out);
    buffer_free(bench, &dx), buffer_free(bench, &dy);
}

static void check_avg_pool_backward(struct bench *bench)
{
    each_pool(bench, check_one_avg_pool_backward);
}

static void check_mean_pool(struct bench *bench)
{
    FOR_SIZES(positions)
    FOR_SIZES(channels)
    for (int64_t n = 0; n < 3; n++) {
        struct buffer x = buffer_random(bench, n * positions * channels, 1);
        struct buffer y = buffer_random(bench, n * channels, 1);
        run(bench, KD_CALL(mean_pool, .x = x.device, .y = y.device, .n = n, .positions = positions,
                           .channels = channels));
        buffer_read(bench, &y);
        for (int64_t i = 0; i < y.n; i++) {
            double want = 0;
            for (int64_t p = 0; p < positions; p++)
                want += (double)x.host[(i / channels * positions + p) * channels + i % channels] /
                        (double)positions;
            assert_near(y.host[i], want, 1e-6, "y", i);
        }
        buffer_free(bench, &x), buffer_free(bench, &y);
    }
}

static void check_mean_pool_backward(struct bench *bench)
{
    FOR_SIZES(positions)
    FOR_SIZES(channels)
    for (int64_t n = 0; n < 3; n++) {
        struct buffer dx = buffer_random(bench, n * positions * channels, 1);
        struct buffer dy = buffer_random(bench, n * channels, 1);
        run(bench, KD_CALL(mean_pool_backward, .dy = dy.device, .dx = dx.device, .n = n,
                           .positions = positions, .channels = channels));
        buffer_read(bench, &dx);
        for (int64_t i = 0; i < dx.n; i++)
            assert_near(dx.host[i],
                        (double)dy.host[i / (positions * channels) * channels + i % channels] /
                            (double)positions,
                        1e-6, "dx", i);
        buffer_free(bench, &dx), buffer_free(bench, &dy);
    }
}

#endif
