/* windows.h - for tests of convolutions and pools: the windows that are tried, and what one of them
 * sees. */
#ifndef KD_TESTS_WINDOWS_H
#define KD_TESTS_WINDOWS_H

#include <stdint.h>

#include "kernels/ops.h"

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

/* Calls visit(ud, out, in, tap) for each pixel that each output pixel's window has in the image:
 * the numbers of the pixels and the place in the window. */
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

#endif
