/* pool.c - pooling, channels last: a window's pixels are combined channel by channel, in vectors of channels. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/table.h"

enum { CHANNELS = 64 }; /* that max_pool has in hand at a time */

/* The part of a window that lies in the image: rows i0 .. i1 - 1 and columns j0 .. j1 - 1 of the window, whose first pixel (in the
 * image or not) is at h, w. */
struct part {
    int64_t h, w, i0, i1, j0, j1;
};

KD_INLINE int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

KD_INLINE struct part part_of(const struct kd_window *window, int64_t row, int64_t column)
{
    int64_t h = row * window->stride - window->padding;
    int64_t w = column * window->stride - window->padding;
    return (struct part){
        .h = h,
        .w = w,
        .i0 = h < 0 ? -h : 0,
        .i1 = least(window->kernel, window->h - h),
        .j0 = w < 0 ? -w : 0,
        .j1 = least(window->kernel, window->w - w),
    };
}

/* Where pixel (i, j) of the window lies in a sample, in floats. */
KD_INLINE int64_t pixel_at(const struct kd_window *window, const struct part *p, int64_t i,
                           int64_t j)
{
    return ((p->h + i) * window->w + p->w + j) * window->channels;
}

static int64_t size_of_sample(const struct kd_window *window)
{
    return window->h * window->w * window->channels;
}

/* Whether every pixel lies in exactly one window. */
static bool tiles(const struct kd_window *window)
{
    return window->stride == window->kernel && window->padding == 0 &&
           window->h % window->kernel == 0 && window->w % window->kernel == 0;
}

/* n <= KD_LANES floats; the other lanes are 0. */
KD_INLINE kd_lanes load(const float *x, int64_t n)
{
    kd_lanes result = {0};
    if (n == KD_LANES)
        return *(const kd_lanes_at *)x;
    memcpy(&result, x, (size_t)n * sizeof *x);
    return result;
}

/* ---- max */

/* One pixel of the window against the best of those before it. What is greater wins, and a NaN over anything but a NaN. */
KD_INLINE void compete(const float *restrict x, int32_t place, float *restrict best,
                       int32_t *restrict at, int64_t n)
{
    for (int64_t c = 0; c < n; c++) {
        float before = best[c];
        bool wins = !(x[c] <= before) & (before == before);
        best[c] = wins ? x[c] : before;
        at[c] = wins ? place : at[c];
    }
}

/* n <= CHANNELS channels of a window. */
KD_INLINE void max_of_window(const struct kd_window *window, const float *x, const struct part *p,
                             int64_t n, float *y, uint8_t *chosen)
{
    const float *first = x + pixel_at(window, p, p->i0, p->j0);
    float best[CHANNELS];
    int32_t at[CHANNELS];
    for (int64_t c = 0; c < n; c++) {
        best[c] = first[c];
        at[c] = (int32_t)(p->i0 * window->kernel + p->j0);
    }
    for (int64_t i = p->i0; i < p->i1; i++)
        for (int64_t j = p->j0; j < p->j1; j++)
            compete(x + pixel_at(window, p, i, j), (int32_t)(i * window->kernel + j), best, at, n);
    for (int64_t c = 0; c < n; c++) {
        y[c] = best[c];
        chosen[c] = (uint8_t)at[c];
    }
}

static void max_pool(const struct kd_op_max_pool *a)
{
    const struct kd_window *window = &a->window;
    int64_t channels = window->channels, out = 0;
    int64_t h_out = kd_window_out(window, window->h), w_out = kd_window_out(window, window->w);
    for (int64_t s = 0; s < window->n; s++)
        for (int64_t i = 0; i < h_out; i++)
            for (int64_t j = 0; j < w_out; j++, out += channels) {
                const struct part part = part_of(window, i, j);
                const float *x = a->x + s * size_of_sample(window);
                for (int64_t c = 0; c < channels; c += CHANNELS)
                    max_of_window(window, x + c, &part, least(channels - c, CHANNELS),
                                  a->y + out + c, a->chosen + out + c);
            }
}

KD_EACH_ISA(kd_cpu_max_pool, struct kd_queue *queue, const struct kd_op_max_pool *a)
{
    (void)queue;
    max_pool(a);
}

/* Where windows overlap, a pixel's gradients are summed; where they do not, each pixel is written once. */
KD_INLINE void spread_max(const struct kd_window *window, const struct part *p, const float *dy,
                          const uint8_t *chosen, int64_t n, float *dx, bool overlap)
{
    kd_lanes_byte bytes = {0};
    memcpy(&bytes, chosen, (size_t)n);
    kd_lanes_int at = __builtin_convertvector(bytes, kd_lanes_int);
    kd_lanes gradient = load(dy, n);
    for (int64_t i = p->i0; i < p->i1; i++)
        for (int64_t j = p->j0; j < p->j1; j++) {
            float *to = dx + pixel_at(window, p, i, j);
            kd_lanes part = kd_lanes_where(at == (int32_t)(i * window->kernel + j), gradient);
            if (overlap)
                part += load(to, n);
            memcpy(to, &part, (size_t)n * sizeof *to);
        }
}

KD_INLINE void max_sample_backward(const struct kd_op_max_pool_backward *a, int64_t sample,
                                   bool overlap)
{
    const struct kd_window *window = &a->window;
    int64_t channels = window->channels, whole = kd_lanes_down(channels);
    int64_t h_out = kd_window_out(window, window->h), w_out = kd_window_out(window, window->w);
    int64_t out = sample * h_out * w_out * channels;
    float *dx = a->dx + sample * size_of_sample(window);
    for (int64_t i = 0; i < h_out; i++)
        for (int64_t j = 0; j < w_out; j++, out += channels) {
            const struct part part = part_of(window, i, j);
            for (int64_t c = 0; c < whole; c += KD_LANES)
                spread_max(window, &part, a->dy + out + c, a->chosen + out + c, KD_LANES, dx + c,
                           overlap);
            if (whole < channels)
                spread_max(window, &part, a->dy + out + whole, a->chosen + out + whole,
                           channels - whole, dx + whole, overlap);
        }
}

/* Sample by sample, so that what was cleared is still in cache when it is added to. */
static void max_pool_backward(const struct kd_op_max_pool_backward *a)
{
    int64_t size = size_of_sample(&a->window);
    bool overlap = a->window.stride < a->window.kernel, clears = !tiles(&a->window);
    for (int64_t s = 0; s < a->window.n && size; s++) {
        if (clears)
            memset(a->dx + s * size, 0, (size_t)size * sizeof *a->dx);
        if (overlap)
            max_sample_backward(a, s, true);
        else
            max_sample_backward(a, s, false);
    }
}

KD_EACH_ISA(kd_cpu_max_pool_backward, struct kd_queue *queue,
            const struct kd_op_max_pool_backward *a)
{
    (void)queue;
    max_pool_backward(a);
}

/* ---- avg */

KD_INLINE void add_scaled(const float *restrict from, float *restrict to, float factor, int64_t n)
{
    for (int64_t c = 0; c < n; c++)
        to[c] += factor * from[c];
}

static void avg_pool(const struct kd_op_avg_pool *a)
{
    const struct kd_window *window = &a->window;
    int64_t channels = window->channels;
    int64_t h_out = kd_window_out(window, window->h), w_out = kd_window_out(window, window->w);
    float share = 1.0f / (float)(window->kernel * window->kernel);
    float *y = a->y;
    for (int64_t s = 0; s < window->n; s++)
        for (int64_t row = 0; row < h_out; row++)
            for (int64_t column = 0; column < w_out; column++, y += channels) {
                const struct part p = part_of(window, row, column);
                const float *x = a->x + s * size_of_sample(window);
                for (int64_t c = 0; c < channels; c++)
                    y[c] = 0.0f;
                for (int64_t i = p.i0; i < p.i1; i++)
                    for (int64_t j = p.j0; j < p.j1; j++)
                        add_scaled(x + pixel_at(window, &p, i, j), y, share, channels);
            }
}

KD_EACH_ISA(kd_cpu_avg_pool, struct kd_queue *queue, const struct kd_op_avg_pool *a)
{
    (void)queue;
    avg_pool(a);
}

static void avg_pool_backward(const struct kd_op_avg_pool_backward *a)
{
    const struct kd_window *window = &a->window;
    int64_t channels = window->channels, size = size_of_sample(window);
    int64_t h_out = kd_window_out(window, window->h), w_out = kd_window_out(window, window->w);
    float share = 1.0f / (float)(window->kernel * window->kernel);
    const float *dy = a->dy;
    for (int64_t s = 0; s < window->n && size; s++) {
        float *dx = a->dx + s * size;
        memset(dx, 0, (size_t)size * sizeof *dx);
        for (int64_t row = 0; row < h_out; row++)
            for (int64_t column = 0; column < w_out; column++, dy += channels) {
                const struct part p = part_of(window, row, column);
                for (int64_t i = p.i0; i < p.i1; i++)
                    for (int64_t j = p.j0; j < p.j1; j++)
                        add_scaled(dy, dx + pixel_at(window, &p, i, j), share, channels);
            }
    }
}

KD_EACH_ISA(kd_cpu_avg_pool_backward, struct kd_queue *queue,
            const struct kd_op_avg_pool_backward *a)
{
    (void)queue;
    avg_pool_backward(a);
}

/* ---- mean over all positions */

static void mean_pool(const struct kd_op_mean_pool *a)
{
    float share = a->positions ? 1.0f / (float)a->positions : 0.0f;
    for (int64_t s = 0; s < a->n; s++) {
        float *y = a->y + s * a->channels;
        for (int64_t c = 0; c < a->channels; c++)
            y[c] = 0.0f;
        for (int64_t p = 0; p < a->positions; p++)
            add_scaled(a->x + (s * a->positions + p) * a->channels, y, share, a->channels);
    }
}

KD_EACH_ISA(kd_cpu_mean_pool, struct kd_queue *queue, const struct kd_op_mean_pool *a)
{
    (void)queue;
    mean_pool(a);
}

static void mean_pool_backward(const struct kd_op_mean_pool_backward *a)
{
    float share = a->positions ? 1.0f / (float)a->positions : 0.0f;
    for (int64_t s = 0; s < a->n; s++) {
        const float *restrict dy = a->dy + s * a->channels;
        for (int64_t p = 0; p < a->positions; p++) {
            float *restrict dx = a->dx + (s * a->positions + p) * a->channels;
            for (int64_t c = 0; c < a->channels; c++)
                dx[c] = share * dy[c];
        }
    }
}

KD_EACH_ISA(kd_cpu_mean_pool_backward, struct kd_queue *queue,
            const struct kd_op_mean_pool_backward *a)
{
    (void)queue;
    mean_pool_backward(a);
}
