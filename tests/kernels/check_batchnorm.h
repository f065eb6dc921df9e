/* check_batchnorm.h - batch normalisation (kernels/op_image.h) against a float64 reference. */
#ifndef KD_TESTS_CHECK_BATCHNORM_H
#define KD_TESTS_CHECK_BATCHNORM_H

#include "tests/kernels/buffer.h"

enum { BATCHNORM_RANKS = 3 }; /* as many times this rank's rows are in the global batch */

/* Arrays that lie where no groups of values may be read: one alone is enough. */
enum { MOVED_X = 1, MOVED_Y = 2, MOVED_DY = 4, MOVED_DX = 8, MOVED_END = 16 };

struct batchnorm_case {
    int64_t rows, channels;
    bool relu;
    unsigned moved;
};

struct batchnorm_buffers {
    struct buffer x, weight, bias, y, saved, running_mean, running_variance, dy, dx, dweight, dbias;
};

static void batchnorm_move(struct bench *bench, struct batchnorm_buffers *b, unsigned moved)
{
    struct buffer *const all[] = {&b->x, &b->y, &b->dy, &b->dx};
    for (size_t i = 0; i < KD_COUNT(all); i++)
        if (moved >> i & 1)
            buffer_move(bench, all[i]);
}

static struct batchnorm_buffers batchnorm_buffers(struct bench *bench,
                                                  const struct batchnorm_case *shape)
{
    int64_t rows = shape->rows, channels = shape->channels, n = rows * channels;
    struct batchnorm_buffers b = {
        .x = values_random(bench, n, 2),
        .weight = buffer_random(bench, channels, 1),
        .bias = buffer_random(bench, channels, 1),
        .y = values_random(bench, n, 1),
        .saved = buffer_random(bench, 2 * channels, 1),
        .running_mean = buffer_random(bench, channels, 1),
        .running_variance = buffer_random(bench, channels, 1),
        .dy = values_random(bench, n, 1),
        .dx = values_random(bench, n, 1),
        .dweight = buffer_random(bench, channels, 1),
        .dbias = buffer_random(bench, channels, 1),
    };
    for (int64_t i = 0; i < n; i++)
        b.x.host[i] += (float)(i % channels % 5); /* means that are not zero */
    for (int64_t c = 0; c < channels; c++)
        b.running_variance.host[c] = 0.5f + fabsf(b.running_variance.host[c]);
    buffer_write(bench, &b.x), buffer_write(bench, &b.running_variance);
    batchnorm_move(bench, &b, shape->moved);
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
    bench_read(bench, host, sums, (size_t)channels * 2 * sizeof *sums);
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

static void sums_from(struct bench *bench, const struct buffer *x, int64_t first, int64_t channels,
                      double *host)
{
    size_t bytes = (size_t)channels * 2 * sizeof(double);
    double *sums = bench->device->alloc(bytes);
    run(bench, KD_CALL(batchnorm_sums, .x = buffer_at(x, first), .sums = sums,
                       .rows = x->n / channels, .channels = channels));
    bench_read(bench, host, sums, bytes);
    bench->device->free(sums);
}

/* A rank's arrays may lie elsewhere than another's: the order of a sum may not depend on it. */
static void check_sums_from_elsewhere(struct bench *bench, int64_t rows, int64_t channels)
{
    struct buffer x = values_random(bench, rows * channels, 2);
    struct buffer further = values_random(bench, x.n + 1, 2);
    double *host = KD_NEW_ARRAY(double, 4 * (size_t)channels);
    memcpy(further.host + 1, x.host, (size_t)x.n * sizeof *x.host);
    buffer_write(bench, &further);
    sums_from(bench, &x, 0, channels, host);
    sums_from(bench, &further, 1, channels, host + 2 * channels);
    assert_memory_equal(host, host + 2 * channels, 2 * (size_t)channels * sizeof *host);
    free(host);
    buffer_free(bench, &x), buffer_free(bench, &further);
}

static void check_batchnorm_sums(struct bench *bench)
{
    check_sums_from_elsewhere(bench, 300, 40);
    FOR_SIZES(rows)
    FOR_SIZES(channels)
    {
        struct batchnorm_buffers b =
            batchnorm_buffers(bench, &(struct batchnorm_case){rows, channels, false, 0});
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
        assert_value(&b->y, at, c->relu && y < 0 ? 0 : y, c->rows < 4 ? 2e-4 : 5e-6, "y");
    }
    (void)bench;
}

static void check_batchnorm_training(struct bench *bench, const struct batchnorm_case *c)
{
    struct batchnorm_buffers b = batchnorm_buffers(bench, c);
    double n = (double)(c->rows * BATCHNORM_RANKS);
    double *sums = batchnorm_sums_of(bench, &b, c->rows, c->channels);
    void *turn = turn_of(bench, c->rows * BATCHNORM_RANKS);
    double *mean = buffer_doubles(&b.running_mean), *variance = buffer_doubles(&b.running_variance);
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

/* Outside training, and while training on a global batch of one row, the running statistics count,
 * and stay. */
static void check_batchnorm_running(struct bench *bench, const struct batchnorm_case *c,
                                    bool training)
{
    struct batchnorm_buffers b = batchnorm_buffers(bench, c);
    double *sums = batchnorm_sums_of(bench, &b, c->rows, c->channels);
    double *mean = buffer_doubles(&b.running_mean), *variance = buffer_doubles(&b.running_variance);
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

/* Of rows of whole groups, each array in turn. */
static void check_batchnorm_elsewhere(struct bench *bench,
                                      void (*check)(struct bench *, const struct batchnorm_case *))
{
    for (unsigned moved = 1; moved < MOVED_END; moved *= 2)
        for (int relu = 0; relu < 2; relu++)
            check(bench, &(struct batchnorm_case){9, 32, relu, moved});
}

static void check_batchnorm(struct bench *bench)
{
    check_batchnorm_elsewhere(bench, check_batchnorm_training);
    FOR_SIZES(rows)
    FOR_SIZES(channels)
    for (int relu = 0; relu < 2; relu++) {
        const struct batchnorm_case c = {rows, channels, relu, 0};
        check_batchnorm_training(bench, &c);
        check_batchnorm_running(bench, &c, false);
        if (rows == 1)
            check_batchnorm_running(bench, &c, true);
    }
}

/* The channel's reference: g where the output is positive (or everywhere), its sum and that of g
 * xhat. */
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

/* Random means and deviations do here, since the sums are of what `saved` says. y's signs are
 * random too. */
static struct batchnorm_buffers batchnorm_backward_buffers(struct bench *bench,
                                                           const struct batchnorm_case *c)
{
    struct batchnorm_buffers b = batchnorm_buffers(bench, c);
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
    bench_read(bench, host, sums, (size_t)c->channels * 2 * sizeof *sums);
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
    check_batchnorm_elsewhere(bench, check_one_backward_sums);
    FOR_SIZES(rows)
    FOR_SIZES(channels)
    for (int relu = 0; relu < 2; relu++)
        check_one_backward_sums(bench, &(struct batchnorm_case){rows, channels, relu, 0});
}

static void run_backward(struct bench *bench, const struct batchnorm_buffers *b,
                         const struct batchnorm_case *c, const double *sums,
                         const struct kd_turn *turn, void *dx, float beta)
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
static void check_batchnorm_backward_of(struct bench *bench, const struct batchnorm_case *c,
                                        int64_t n)
{
    struct batchnorm_buffers b = batchnorm_backward_buffers(bench, c);
    double *sums = run_backward_sums(bench, &b, c, 0);
    double *host = KD_NEW_ARRAY(double, 2 * (size_t)c->channels + 1);
    void *turn = turn_of(bench, n);
    bench_read(bench, host, sums, (size_t)c->channels * 2 * sizeof *sums);
    for (int beta = 0; beta < 2; beta++)
        run_backward(bench, &b, c, sums, turn, b.dx.device, (float)beta);
    buffer_read(bench, &b.dx);
    for (int64_t at = 0; at < b.dx.n; at++)
        assert_value(&b.dx, at, 2 * batchnorm_dx(&b, c, host, (double)n, at), 1e-5, "dx");
    double *want = KD_NEW_ARRAY(double, (size_t)b.dy.n + 1);
    for (int64_t at = 0; at < b.dy.n; at++)
        want[at] = batchnorm_dx(&b, c, host, (double)n, at);
    run_backward(bench, &b, c, sums, turn, b.dy.device, 0);
    buffer_compare(bench, &b.dy, want, "dx over dy");
    free(host), free(want);
    bench->device->free(sums), bench->device->free(turn);
    batchnorm_free(bench, &b);
}

static void check_one_batchnorm_backward(struct bench *bench, const struct batchnorm_case *c)
{
    check_batchnorm_backward_of(bench, c, c->rows * BATCHNORM_RANKS);
}

static void check_batchnorm_backward(struct bench *bench)
{
    check_batchnorm_elsewhere(bench, check_one_batchnorm_backward);
    FOR_SIZES(rows)
    FOR_SIZES(channels)
    for (int relu = 0; relu < 2; relu++) {
        const struct batchnorm_case c = {rows, channels, relu, 0};
        check_one_batchnorm_backward(bench, &c);
        if (rows == 1)
            check_batchnorm_backward_of(bench, &c, 1);
    }
}

#endif
