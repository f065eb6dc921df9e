/* check_pool.h - pooling (kernels/op_image.h) against a float64 reference. */
#ifndef KD_TESTS_CHECK_POOL_H
#define KD_TESTS_CHECK_POOL_H

#include <string.h>

#include "tests/kernels/buffer.h"
#include "tests/kernels/windows.h"

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
    struct buffer x = values_random(bench, window_x(w), 1);
    struct buffer y = values_random(bench, window_pixels(w) * w->channels, 1);
    for (int64_t i = 0; i < x.n; i++) /* equals, and a NaN here and there */
        x.host[i] = i % 29 == 7 ? NAN : roundf(4 * x.host[i]);
    buffer_write(bench, &x);
    uint8_t *chosen = bench->device->alloc((size_t)y.n + 1);
    uint8_t *got = KD_NEW_ARRAY(uint8_t, (size_t)y.n + 1);
    struct pool_reference r = {w, x.host, NULL, buffer_doubles(&y),
                               KD_NEW_ARRAY(int, (size_t)y.n + 1)};
    memset(r.at, -1, ((size_t)y.n + 1) * sizeof *r.at);
    each_tap(w, max_forward, &r);
    run(bench, KD_CALL(max_pool, .x = x.device, .y = y.device, .chosen = chosen, .window = *w));
    bench_read(bench, got, chosen, (size_t)y.n);
    buffer_compare(bench, &y, r.out, "y");
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
    struct buffer dx = values_random(bench, window_x(w), 1);
    struct buffer dy = values_random(bench, window_pixels(w) * w->channels, 1);
    uint8_t *chosen = KD_NEW_ARRAY(uint8_t, (size_t)dy.n + 1);
    for (int64_t i = 0; i < dy.n; i++)
        chosen[i] = (uint8_t)kd_rng_below(&bench->rng, (uint64_t)(w->kernel * w->kernel));
    struct pool_reference r = {w, dy.host, chosen, buffer_doubles(&dx), NULL};
    buffer_start(bench, &dx, r.out, 0);
    each_tap(w, max_backward, &r);
    uint8_t *on_chosen = to_device(bench, chosen, (size_t)dy.n);
    run(bench, KD_CALL(max_pool_backward, .dy = dy.device, .chosen = on_chosen, .dx = dx.device,
                       .window = *w));
    buffer_compare(bench, &dx, r.out, "dx");
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
    struct buffer x = values_random(bench, window_x(w), 1);
    struct buffer y = values_random(bench, window_pixels(w) * w->channels, 1);
    struct pool_reference r = {w, x.host, NULL, buffer_doubles(&y), NULL};
    buffer_start(bench, &y, r.out, 0);
    each_tap(w, avg_forward, &r);
    run(bench, KD_CALL(avg_pool, .x = x.device, .y = y.device, .window = *w));
    buffer_compare(bench, &y, r.out, "y");
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
    struct buffer dx = values_random(bench, window_x(w), 1);
    struct buffer dy = values_random(bench, window_pixels(w) * w->channels, 1);
    struct pool_reference r = {w, dy.host, NULL, buffer_doubles(&dx), NULL};
    buffer_start(bench, &dx, r.out, 0);
    each_tap(w, avg_backward, &r);
    run(bench, KD_CALL(avg_pool_backward, .dy = dy.device, .dx = dx.device, .window = *w));
    buffer_compare(bench, &dx, r.out, "dx");
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
        struct buffer x = values_random(bench, n * positions * channels, 1);
        struct buffer y = values_random(bench, n * channels, 1);
        run(bench, KD_CALL(mean_pool, .x = x.device, .y = y.device, .n = n, .positions = positions,
                           .channels = channels));
        buffer_read(bench, &y);
        for (int64_t i = 0; i < y.n; i++) {
            double want = 0;
            for (int64_t p = 0; p < positions; p++)
                want += (double)x.host[(i / channels * positions + p) * channels + i % channels] /
                        (double)positions;
            assert_value(&y, i, want, 1e-6, "y");
        }
        buffer_free(bench, &x), buffer_free(bench, &y);
    }
}

static void check_mean_pool_backward(struct bench *bench)
{
    FOR_SIZES(positions)
    FOR_SIZES(channels)
    for (int64_t n = 0; n < 3; n++) {
        struct buffer dx = values_random(bench, n * positions * channels, 1);
        struct buffer dy = values_random(bench, n * channels, 1);
        run(bench, KD_CALL(mean_pool_backward, .dy = dy.device, .dx = dx.device, .n = n,
                           .positions = positions, .channels = channels));
        buffer_read(bench, &dx);
        for (int64_t i = 0; i < dx.n; i++)
            assert_value(&dx, i,
                         (double)dy.host[i / (positions * channels) * channels + i % channels] /
                             (double)positions,
                         1e-6, "dx");
        buffer_free(bench, &dx), buffer_free(bench, &dy);
    }
}

#endif
