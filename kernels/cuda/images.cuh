/* images.cuh - where an element of [n][h][w][channels] stands, and the windows over such images. */
#ifndef KD_KERNELS_CUDA_IMAGES_CUH
#define KD_KERNELS_CUDA_IMAGES_CUH

#include "kernels/cuda/port.h"
#include "kernels/cuda/table.h"

/* A window's input, and the size of what comes out. */
struct kd_images {
    struct kd_window in;
    int64_t h, w;
};

static inline kd_images kd_images_of(const struct kd_window *window)
{
    return {*window, kd_window_out(window, window->h), kd_window_out(window, window->w)};
}

/* Values under one place of the window. */
static inline int64_t kd_of_patch(const struct kd_window &window)
{
    return window.kernel * window.kernel * window.channels;
}

static inline int64_t kd_in_pixels(const kd_images &images)
{
    return images.in.n * images.in.h * images.in.w;
}

static inline int64_t kd_out_pixels(const kd_images &images)
{
    return images.in.n * images.h * images.w;
}

struct kd_pixel {
    int64_t image, row, column;
};

/* Pixel number `at` of images of h x w. */
static __device__ __forceinline__ kd_pixel kd_pixel_of(int64_t at, int64_t h, int64_t w)
{
    int64_t line = kd_quotient(at, w);
    return {kd_quotient(line, h), kd_remainder(line, h), kd_remainder(at, w)};
}

/* The input's pixel under (i, j) of an output pixel's window, or -1: in the padding. */
static __device__ __forceinline__ int64_t kd_under(const kd_images &images, const kd_pixel &out,
                                                   int64_t i, int64_t j)
{
    const struct kd_window &in = images.in;
    int64_t row = out.row * in.stride - in.padding + i;
    int64_t column = out.column * in.stride - in.padding + j;
    if (row < 0 || row >= in.h || column < 0 || column >= in.w)
        return -1;
    return (out.image * in.h + row) * in.w + column;
}

/* The output's pixel that has an input pixel under (i, j) of its window, or -1. */
static __device__ __forceinline__ int64_t kd_over(const kd_images &images, const kd_pixel &in,
                                                  int64_t i, int64_t j)
{
    int64_t row = in.row + images.in.padding - i, column = in.column + images.in.padding - j;
    int64_t stride = images.in.stride;
    if (row < 0 || column < 0 || kd_remainder(row, stride) || kd_remainder(column, stride))
        return -1;
    row = kd_quotient(row, stride), column = kd_quotient(column, stride);
    if (row >= images.h || column >= images.w)
        return -1;
    return (in.image * images.h + row) * images.w + column;
}

#endif
