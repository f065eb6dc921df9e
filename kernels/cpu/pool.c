/* pool.c - pooling, channels last: a window's pixels are combined channel by channel, in vectors of
 * channels. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/table.h"

enum { BLOCK = 4 }; /* vectors that max_pool has in hand at a time */

/* The part of a window that lies in the image: rows i0 .. i1 - 1 and columns j0 .. j1 - 1 of the
 * window, whose first pixel (in the image or not) is at h, w. */
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

/* One pixel of the window against the best of those before it. What is greater wins, and a NaN over
 * anything but a NaN. */
KD_INLINE void compete(kd_lanes x, int32_t place, kd_lanes *best, kd_lanes_int *at)
{
    kd_lanes_int wins = ~(x <= *best) & (*best == *best);
    *best = kd_lanes_choose(wins, x, *best);
    *at = (wins & place) | (~wins & *at);
}

/* `vectors` vectors of a window's channels, a constant up to BLOCK; all have n <= KD_LANES
 * channels. */
KD_INLINE void max_of_window(const struct kd_window *window, const float *x, const struct part *p,
                             int vectors, int64_t n, float *y, uint8_t *chosen)
{
    kd_lanes best[BLOCK];
    kd_lanes_int at[BLOCK];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        best[v] = load(x + pixel_at(window, p, p->i0, p->j0) + v * KD_LANES, n);
        at[v] = (kd_lanes_int){0} + (int32_t)(p->i0 * window->kernel + p->j0);
    }
    for (int64_t i = p->i0; i < p->i1; i++)
        for (int64_t j = p->j0; j < p->j1; j++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                compete(load(x + pixel_at(window, p, i, j) + v * KD_LANES, n),
                        (int32_t)(i * window->kernel + j), &best[v], &at[v]);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        kd_lanes_byte bytes = __builtin_convertvector(at[v], kd_lanes_byte);
        memcpy(y + v * KD_LANES, &best[v], (size_t)n * sizeof *y);
        memcpy(chosen + v * KD_LANES, &bytes, (size_t)n);
    }
}

/* The last vector begins within the one before it. Of fewer channels than a vector has the vector
 * goes on over the next pixels, where some follow: what it writes there is written again when their
 * turn comes. */
KD_INLINE void max_of_channels(const struct kd_op_max_pool *a, const float *x, const struct part *p,
                               int64_t out, bool is_followed)
{
    const struct kd_window *window = &a->window;
    int64_t channels = window->channels, c = 0;
    float *y = (float *)a->y + out;
    uint8_t *chosen = a->chosen + out;
    if (channels < KD_LANES && !is_followed) {
        max_of_window(window, x, p, 1, channels, y, chosen);
        return;
    }
    for (; channels - c >= BLOCK * KD_LANES; c += BLOCK * KD_LANES)
        max_of_window(window, x + c, p, BLOCK, KD_LANES, y + c, chosen + c);
    for (; c < channels; c += KD_LANES) {
        int64_t from = c > 0 ? least(c, channels - KD_LANES) : 0;
        max_of_window(window, x + from, p, 1, KD_LANES, y + from, chosen + from);
    }
}

static void max_pool(const struct kd_op_max_pool *a)
{
    const struct kd_window *window = &a->window;
    int64_t channels = window->channels, size = size_of_sample(window), out = 0;
    int64_t h_out = kd_window_out(window, window->h), w_out = kd_window_out(window, window->w);
    int64_t n_out = window->n * h_out * w_out * channels;
    for (int64_t s = 0; s < window->n; s++)
        for (int64_t i = 0; i < h_out; i++)
            for (int64_t j = 0; j < w_out; j++, out += channels) {
                const struct part part = part_of(window, i, j);
                int64_t last = s * size + pixel_at(window, &part, part.i1 - 1, part.j1 - 1);
                max_of_channels(a, (const float *)a->x + s * size, &part, out,
                                last + KD_LANES <= window->n * size && out + KD_LANES <= n_out);
            }
}

KD_EACH_ISA(kd_cpu_max_pool, struct kd_queue *queue, const struct kd_op_max_pool *a)
{
    (void)queue;
    max_pool(a);
}

/* A vector of channels to all pixels of a window that overlaps no other: each is written once, most
 * of them zeros. */
KD_INLINE void spread_max(const struct kd_window *window, const struct part *p, const float *dy,
                          const uint8_t *chosen, float *dx)
{
    kd_lanes_byte bytes;
    memcpy(&bytes, chosen, sizeof bytes);
    kd_lanes_int at = __builtin_convertvector(bytes, kd_lanes_int);
    kd_lanes gradient = *(const kd_lanes_at *)dy;
    for (int64_t i = p->i0; i < p->i1; i++)
        for (int64_t j = p->j0; j < p->j1; j++) {
            kd_lanes_int here = at == (int32_t)(i * window->kernel + j);
            *(kd_lanes_at *)(dx + pixel_at(window, p, i, j)) = kd_lanes_where(here, gradient);
        }
}

/* Channels 0 .. end - 1 of one sample, a multiple of KD_LANES. */
static void spread_sample(const struct kd_window *window, const float *dy, const uint8_t *chosen,
                          float *dx, int64_t end)
{
    int64_t h_out = kd_window_out(window, window->h), w_out = kd_window_out(window, window->w);
    for (int64_t i = 0; i < h_out; i++)
        for (int64_t j = 0; j < w_out; j++) {
            const struct part part = part_of(window, i, j);
            for (int64_t c = 0; c < end; c += KD_LANES)
                spread_max(window, &part, dy + c, chosen + c, dx + c);
            dy += window->channels, chosen += window->channels;
        }
}

/* Where each place is in a window. */
struct places {
    struct {
        int32_t i, j;
    } of[UINT8_MAX + 1];
};

static void list_places(const struct kd_window *window, struct places *places)
{
    for (int32_t k = 0; k <= UINT8_MAX; k++) {
        places->of[k].i = k / (int32_t)window->kernel;
        places->of[k].j = k % (int32_t)window->kernel;
    }
}

/* One gradient to the pixel h, w, unless that is in the padding: added where windows overlap, else
 * there is no other one. */
KD_INLINE void put_at(const struct kd_window *window, int64_t h, int64_t w, float dy, float *dx,
                      bool overlap)
{
    if ((uint64_t)h >= (uint64_t)window->h || (uint64_t)w >= (uint64_t)window->w)
        return;
    float *to = dx + (h * window->w + w) * window->channels;
    *to = overlap ? *to + dy : dy;
}

/* Channels from `begin` on of one sample, one by one, into a dx that is clear. */
KD_INLINE void scatter_sample(const struct kd_window *window, const struct places *places,
                              const float *dy, const uint8_t *chosen, float *dx, int64_t begin,
                              bool overlap)
{
    int64_t channels = window->channels;
    int64_t h_out = kd_window_out(window, window->h), w_out = kd_window_out(window, window->w);
    for (int64_t i = 0; i < h_out; i++)
        for (int64_t j = 0; j < w_out; j++) {
            int64_t h = i * window->stride - window->padding;
            int64_t w = j * window->stride - window->padding;
            for (int64_t c = begin; c < channels; c++)
                put_at(window, h + places->of[chosen[c]].i, w + places->of[chosen[c]].j, dy[c],
                       dx + c, overlap);
            dy += channels, chosen += channels;
        }
}

/* Spreading is the faster way for whole vectors (2 x 2 with AVX-512: twice as fast), but not where
 * windows overlap: reading, adding to and writing all nine pixels of 3 x 3 takes longer than one
 * pixel sixteen times. Sample by sample, so that what was cleared is still in cache when it is
 * written to. */
static void max_pool_backward(const struct kd_op_max_pool_backward *a)
{
    const struct kd_window *window = &a->window;
    int64_t channels = window->channels, size = size_of_sample(window);
    int64_t n_out = kd_window_out(window, window->h) * kd_window_out(window, window->w) * channels;
    bool overlap = window->stride < window->kernel;
    int64_t spread = overlap ? 0 : kd_lanes_down(channels);
    bool clears = spread < channels || !tiles(window);
    struct places places;
    list_places(window, &places);
    for (int64_t s = 0; s < window->n && size; s++) {
        const float *dy = (const float *)a->dy + s * n_out;
        const uint8_t *chosen = a->chosen + s * n_out;
        float *dx = (float *)a->dx + s * size;
        if (clears)
            memset(dx, 0, (size_t)size * sizeof *dx);
        if (spread > 0)
            spread_sample(window, dy, chosen, dx, spread);
        if (overlap)
            scatter_sample(window, &places, dy, chosen, dx, 0, true);
        else if (spread < channels)
            scatter_sample(window, &places, dy, chosen, dx, spread, false);
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
                const float *x = (const float *)a->x + s * size_of_sample(window);
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
        float *dx = (float *)a->dx + s * size;
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
        float *y = (float *)a->y + s * a->channels;
        for (int64_t c = 0; c < a->channels; c++)
            y[c] = 0.0f;
        for (int64_t p = 0; p < a->positions; p++)
            add_scaled((const float *)a->x + (s * a->positions + p) * a->channels, y, share,
                       a->channels);
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
        const float *restrict dy = (const float *)a->dy + s * a->channels;
        for (int64_t p = 0; p < a->positions; p++) {
            float *restrict dx = (float *)a->dx + (s * a->positions + p) * a->channels;
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
