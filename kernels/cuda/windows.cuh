/* windows.cuh - the sides of convolutions as products on tensor cores (tensor_tiles.cuh), and how k
 * is gone through.
 *
 * A gradient of x is a convolution too: of dy, with windows that go over it backwards. With a
 * stride, pixels of x whose rows and columns leave the same remainder have the same places in their
 * windows, those that meet a pixel of dy; each such class of pixels is a convolution of stride 1 of
 * its own, over a grid of every stride-th pixel.
 *
 * Places in arrays are counted in 32 bits: implicit.cu sees to it that they are enough. */
#ifndef KD_KERNELS_CUDA_WINDOWS_CUH
#define KD_KERNELS_CUDA_WINDOWS_CUH

#include "kernels/cuda/images.cuh"
#include "kernels/cuda/tensor_tiles.cuh"

/* Beyond every image, whatever a place in a window is added to it. */
static constexpr int KD_OUTSIDE = -(1 << 30);

/* Pixel number `at` of images of h x w. */
struct kd_near_pixel {
    int image, row, column;

    __device__ __forceinline__ kd_near_pixel(int64_t at, int h, int w)
    {
        unsigned line = (unsigned)at / (unsigned)w;
        image = (int)(line / (unsigned)h);
        row = (int)(line % (unsigned)h);
        column = (int)((unsigned)at % (unsigned)w);
    }
};

/* ---- k: channels under the places of a window */

struct kd_place_step {
    int i, j;     /* in the window */
    int channels; /* before it */
};

/* 32 channels at all places of the window, then the next 32: what neighbouring windows share is
 * copied again while it is near. */
struct kd_place_walk {
    int rows, columns; /* of the window */
    int channels;
    typedef kd_place_step step;

    __device__ __forceinline__ int64_t n_steps() const
    {
        return (int64_t)rows * columns * ((channels + KD_STEP - 1) / KD_STEP);
    }
    __device__ __forceinline__ step begin() const
    {
        return {0, 0, rows > 0 && columns > 0 ? 0 : channels};
    }
    __device__ __forceinline__ void next(step &s) const
    {
        if (++s.j < columns)
            return;
        s.j = 0;
        if (++s.i < rows)
            return;
        s.i = 0;
        s.channels += KD_STEP;
    }
};

/* Rows are pixels of a grid, and k is what lies in their windows: under (i, j) of that of pixel
 * (row, column) lies pixel (row stride + first_row + i, column stride + first_column + j) of x, or
 * zeros. */
template <class T> struct kd_windows {
    static constexpr bool BY_K = false, KEPT = true;
    const T *x;
    int64_t n_pixels; /* of the grid */
    int h, w, channels;
    int grid_h, grid_w, stride, first_row, first_column;

    struct line {
        int at; /* of the first place's channels, where that is there */
        int row, column, k;
    };

    __device__ __forceinline__ line begin(int64_t i, int k, const kd_place_walk &) const
    {
        if (i >= n_pixels)
            return {0, KD_OUTSIDE, 0, k};
        kd_near_pixel pixel(i, grid_h, grid_w);
        int row = pixel.row * stride + first_row, column = pixel.column * stride + first_column;
        return {((pixel.image * h + row) * w + column) * channels + k, row, column, k};
    }
    __device__ __forceinline__ bool find(const line &l, const kd_place_step &s,
                                         const T **from) const
    {
        bool is_there = (unsigned)(l.row + s.i) < (unsigned)h &&
                        (unsigned)(l.column + s.j) < (unsigned)w && l.k + s.channels < channels;
        *from = x + (is_there ? l.at + ((s.i * w + s.j) * channels + s.channels) : 0);
        return is_there;
    }
    __device__ __forceinline__ void next(line &) const
    {
    }
};

/* Weights [c_out][place][channel]. Turned: rows are channels, and k goes over c_out. Place (i, j)
 * of the walk is number first_place + i of_row + j of_column of the weights'. */
template <class T, bool turned> struct kd_weights {
    static constexpr bool BY_K = turned, KEPT = false;
    const T *x;
    int of_patch, channels, c_out;
    int first_place, of_row, of_column;

    struct line {
        int at; /* of the first place's; -1: there is no such row */
        int k;
    };

    __device__ __forceinline__ line begin(int64_t i, int k, const kd_place_walk &) const
    {
        if (i >= (turned ? channels : c_out))
            return {-1, k};
        return {turned ? k * of_patch + (int)i : (int)i * of_patch + k, k};
    }
    __device__ __forceinline__ bool find(const line &l, const kd_place_step &s,
                                         const T **from) const
    {
        bool is_there = l.at >= 0 && l.k + s.channels < (turned ? c_out : channels);
        int place = first_place + s.i * of_row + s.j * of_column;
        int before = turned ? s.channels * of_patch : s.channels;
        *from = x + (is_there ? l.at + before + place * channels : 0);
        return is_there;
    }
    __device__ __forceinline__ void next(line &) const
    {
    }
};

/* ---- k: pixels of the output */

struct kd_pixel_step {
    int before; /* pixels of all */
    int n_left; /* from there on */
};

struct kd_pixel_walk {
    int from, to;
    typedef kd_pixel_step step;

    __device__ __forceinline__ int64_t n_steps() const
    {
        return from < to ? (to - from + KD_STEP - 1) / KD_STEP : 0;
    }
    __device__ __forceinline__ step begin() const
    {
        return {from, to - from};
    }
    __device__ __forceinline__ void next(step &s) const
    {
        s.before += KD_STEP;
        s.n_left -= KD_STEP;
    }
};

/* dy [pixel][c_out], of which rows are c_out. */
template <class T> struct kd_gradients_turned {
    static constexpr bool BY_K = true, KEPT = false;
    const T *x;
    int c_out;

    struct line {
        int at; /* of the first pixel's; -1: there is no such row */
        int k;
    };

    __device__ __forceinline__ line begin(int64_t i, int k, const kd_pixel_walk &) const
    {
        return {i < c_out ? k * c_out + (int)i : -1, k};
    }
    __device__ __forceinline__ bool find(const line &l, const kd_pixel_step &s,
                                         const T **from) const
    {
        bool is_there = l.at >= 0 && l.k < s.n_left;
        *from = x + (is_there ? l.at + s.before * c_out : 0);
        return is_there;
    }
    __device__ __forceinline__ void next(line &) const
    {
    }
};

/* Rows are (place in the window, channel), k is pixels of the output. What is divided in is divided
 * once: from step to step it is added to, and mended where a row of the output ends, or an
 * image. */
template <class T> struct kd_patches_turned {
    static constexpr bool BY_K = true, KEPT = true;
    const T *x;
    int64_t n_rows;
    int h, w, channels, kernel, stride, padding, out_h, out_w;
    int rows_on, columns_on, on;  /* a step, in rows and columns of x and in places of the array */
    int at_row_end, at_image_end; /* places that are added there */

    struct line {
        int at, row, column;     /* of x */
        int row_end, column_end; /* of the window's place, over the output's */
        int k;
    };

    __device__ __forceinline__ line begin(int64_t i, int k, const kd_pixel_walk &walk) const
    {
        kd_near_pixel pixel(walk.from + k, out_h, out_w);
        int place = (int)i / channels, channel = (int)i % channels;
        int first_row = place / kernel - padding, first_column = place % kernel - padding;
        int row = pixel.row * stride + first_row, column = pixel.column * stride + first_column;
        if (i >= n_rows)
            return {0, KD_OUTSIDE, 0, 0, 0, k};
        return {((pixel.image * h + row) * w + column) * channels + channel,
                row,
                column,
                first_row + out_h * stride,
                first_column + out_w * stride,
                k};
    }
    __device__ __forceinline__ bool find(const line &l, const kd_pixel_step &s,
                                         const T **from) const
    {
        bool is_there =
            (unsigned)l.row < (unsigned)h && (unsigned)l.column < (unsigned)w && l.k < s.n_left;
        *from = x + (is_there ? l.at : 0);
        return is_there;
    }
    __device__ __forceinline__ void next(line &l) const
    {
        l.column += columns_on, l.row += rows_on, l.at += on;
        if (l.column >= l.column_end)
            l.column -= out_w * stride, l.row += stride, l.at += at_row_end;
        if (l.row >= l.row_end)
            l.row -= out_h * stride, l.at += at_image_end;
    }
};

#endif
