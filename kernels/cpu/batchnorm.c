/* batchnorm.c - four passes over rows of channels, bound by memory.
 *
 * Rows are taken together until their channels fill whole vectors (two rows of 24 channels are
 * three vectors), so that every number of channels is as fast; what belongs to a channel is
 * repeated as often. Vectors of channels are walked down some rows, with what belongs to the
 * channels in registers. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/table.h"

enum { TILE_ROWS = 64 }; /* of 32 channels they fill a sixth of the first cache */

typedef double half_doubles __attribute__((vector_size(4 * KD_LANES))); /* of half the lanes */

/* What belongs to a channel, as far as the pass has it. */
enum { MEAN, SCALE, SHIFT, SLOPE, N_FACTORS };

struct pass {
    const float *x, *dy, *y; /* y: dy counts where it is positive; NULL: everywhere */
    float *out;
    float *factors[N_FACTORS]; /* [columns] */
    double *sums[2];           /* [columns] */
    int64_t rows, columns;     /* whole vectors; columns are the channels of `together` rows */
    int64_t rest;              /* elements after the last whole row */
    int64_t channels, together;
    bool relu, adds;
};

/* Rows of KD_LANES columns from element `at` on, `stride` apart; the first is `column`. */
typedef void tile_fn(const struct pass *p, int64_t at, int64_t column, int64_t rows,
                     int64_t stride);

/* The last few elements, in vectors that are not full. */
KD_INLINE void last_tile(const struct pass *p, int64_t at, int64_t column, int64_t n, tile_fn *tile)
{
    float x[KD_LANES] = {0}, dy[KD_LANES] = {0}, y[KD_LANES] = {0}, out[KD_LANES] = {0};
    size_t bytes = (size_t)n * sizeof(float);
    struct pass padded = *p;
    padded.x = x, padded.dy = dy, padded.out = out;
    padded.y = p->y ? y : NULL;
    memcpy(x, p->x + at, bytes);
    if (p->dy)
        memcpy(dy, p->dy + at, bytes);
    if (p->y)
        memcpy(y, p->y + at, bytes);
    if (p->adds)
        memcpy(out, p->out + at, bytes);
    /* What is no element is 0 in x and dy, so it adds nothing to a sum. */
    tile(&padded, 0, column, 1, KD_LANES);
    if (p->out)
        memcpy(p->out + at, out, bytes);
}

KD_INLINE void each_tile(const struct pass *p, tile_fn *tile)
{
    for (int64_t row = 0; row < p->rows; row += TILE_ROWS) {
        int64_t n = p->rows - row < TILE_ROWS ? p->rows - row : TILE_ROWS;
        for (int64_t column = 0; column < p->columns; column += KD_LANES)
            tile(p, row * p->columns + column, column, n, p->columns);
    }
    int64_t at = p->rows * p->columns, whole = kd_lanes_down(p->rest);
    for (int64_t column = 0; column < whole; column += KD_LANES)
        tile(p, at + column, column, 1, p->columns);
    if (whole < p->rest)
        last_tile(p, at + whole, whole, p->rest - whole, tile);
}

/* ---- Laying out */

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    return b ? greatest_divisor(b, a % b) : a;
}

/* With room for n_factors factors, and n_sums sums of zero. */
static struct pass pass_new(int64_t rows, int64_t channels, int n_factors, int n_sums)
{
    int64_t together = KD_LANES / greatest_divisor(channels, KD_LANES);
    struct pass p = {
        .rows = rows / together,
        .columns = together * channels,
        .rest = rows % together * channels,
        .channels = channels,
        .together = together,
    };
    size_t n = (size_t)p.columns;
    double *memory =
        kd_cpu_scratch(KD_SCRATCH_BATCHNORM, n * (2 * sizeof(double) + N_FACTORS * sizeof(float)));
    for (int i = 0; i < n_sums; i++)
        p.sums[i] = memory + (size_t)i * n;
    if (n_sums)
        memset(memory, 0, (size_t)n_sums * n * sizeof *memory);
    float *factors = (float *)(memory + 2 * n);
    for (int i = 0; i < n_factors; i++)
        p.factors[i] = factors + (size_t)i * n;
    return p;
}

/* A factor's channels were written; the rows beside them get the same. */
static void repeat(const struct pass *p, int n_factors)
{
    for (int i = 0; i < n_factors; i++)
        for (int64_t k = 1; k < p->together; k++)
            memcpy(p->factors[i] + k * p->channels, p->factors[i],
                   (size_t)p->channels * sizeof(float));
}

static double total_of(const struct pass *p, int which, int64_t channel)
{
    double total = 0;
    for (int64_t k = 0; k < p->together; k++)
        total += p->sums[which][k * p->channels + channel];
    return total;
}

/* ---- The sums of the forward pass */

KD_INLINE void add_doubles(kd_lanes x, half_doubles sum[2])
{
    kd_half_lanes halves[2];
    memcpy(halves, &x, sizeof halves);
    sum[0] += __builtin_convertvector(halves[0], half_doubles);
    sum[1] += __builtin_convertvector(halves[1], half_doubles);
}

KD_INLINE void add_squares(kd_lanes x, half_doubles sum[2])
{
    kd_half_lanes halves[2];
    memcpy(halves, &x, sizeof halves);
    half_doubles low = __builtin_convertvector(halves[0], half_doubles);
    half_doubles high = __builtin_convertvector(halves[1], half_doubles);
    sum[0] += low * low;
    sum[1] += high * high;
}

KD_INLINE void add_to(double *sums, const half_doubles sum[2])
{
    half_doubles before[2];
    memcpy(before, sums, sizeof before);
    before[0] += sum[0];
    before[1] += sum[1];
    memcpy(sums, before, sizeof before);
}

KD_INLINE void sums_tile(const struct pass *p, int64_t at, int64_t column, int64_t rows,
                         int64_t stride)
{
    half_doubles sum[2] = {{0}}, squares[2] = {{0}};
    for (int64_t i = 0; i < rows; i++) {
        kd_lanes x = *(const kd_lanes_at *)(p->x + at + i * stride);
        add_doubles(x, sum);
        add_squares(x, squares);
    }
    add_to(p->sums[0] + column, sum);
    add_to(p->sums[1] + column, squares);
}

static void forward_sums(const struct pass *p)
{
    each_tile(p, sums_tile);
}

KD_EACH_ISA(kd_cpu_batchnorm_sums, struct kd_queue *queue, const struct kd_op_batchnorm_sums *a)
{
    (void)queue;
    if (a->channels == 0)
        return;
    struct pass p = pass_new(a->rows, a->channels, 0, 2);
    p.x = a->x;
    forward_sums(&p);
    for (int64_t c = 0; c < a->channels; c++) {
        a->sums[c] = total_of(&p, 0, c);
        a->sums[a->channels + c] = total_of(&p, 1, c);
    }
}

/* ---- The forward pass */

/* What comes of the sums over all ranks: the batch's statistics, and the running ones a step
 * further. */
static void take_statistics(const struct kd_op_batchnorm *a, double n)
{
    float momentum = a->momentum;
    for (int64_t c = 0; c < a->channels; c++) {
        double mean = a->sums[c] / n, variance = a->sums[a->channels + c] / n - mean * mean;
        variance = variance < 0 ? 0 : variance;
        a->saved[c] = (float)mean;
        a->saved[a->channels + c] = (float)(1 / sqrt(variance + (double)a->epsilon));
        a->running_mean[c] += momentum * ((float)mean - a->running_mean[c]);
        a->running_variance[c] +=
            momentum * ((float)(variance * n / (n - 1)) - a->running_variance[c]);
    }
}

static float running_rstd(const struct kd_op_batchnorm *a, int64_t channel)
{
    return (float)(1 / sqrt((double)a->running_variance[channel] + (double)a->epsilon));
}

/* The batch's own statistics would be of one row. */
static void take_running(const struct kd_op_batchnorm *a)
{
    for (int64_t c = 0; c < a->channels; c++) {
        a->saved[c] = a->running_mean[c];
        a->saved[a->channels + c] = running_rstd(a, c);
    }
}

KD_INLINE void forward_tile(const struct pass *p, int64_t at, int64_t column, int64_t rows,
                            int64_t stride)
{
    kd_lanes mean = *(const kd_lanes_at *)(p->factors[MEAN] + column);
    kd_lanes scale = *(const kd_lanes_at *)(p->factors[SCALE] + column);
    kd_lanes shift = *(const kd_lanes_at *)(p->factors[SHIFT] + column);
    for (int64_t i = 0; i < rows; i++) {
        kd_lanes x = *(const kd_lanes_at *)(p->x + at + i * stride);
        kd_lanes y = (x - mean) * scale + shift;
        if (p->relu)
            y = kd_lanes_where(~(y < 0.0f), y); /* a NaN stays one */
        *(kd_lanes_at *)(p->out + at + i * stride) = y;
    }
}

static void forward(const struct pass *p)
{
    each_tile(p, forward_tile);
}

KD_EACH_ISA(kd_cpu_batchnorm, struct kd_queue *queue, const struct kd_op_batchnorm *a)
{
    (void)queue;
    if (a->channels == 0)
        return;
    double n = a->training ? (double)a->turn->n_global * (double)a->positions : 0;
    if (n > 1)
        take_statistics(a, n);
    else if (a->training)
        take_running(a);
    struct pass p = pass_new(a->rows, a->channels, SHIFT + 1, 0);
    for (int64_t c = 0; c < a->channels; c++) {
        p.factors[MEAN][c] = a->training ? a->saved[c] : a->running_mean[c];
        p.factors[SCALE][c] =
            a->weight[c] * (a->training ? a->saved[a->channels + c] : running_rstd(a, c));
        p.factors[SHIFT][c] = a->bias[c];
    }
    repeat(&p, SHIFT + 1);
    p.x = a->x, p.out = a->y;
    p.relu = a->activation == KD_ACTIVATION_RELU;
    forward(&p);
}

/* ---- The sums of the backward pass */

KD_INLINE kd_lanes gradient_at(const struct pass *p, int64_t at)
{
    kd_lanes dy = *(const kd_lanes_at *)(p->dy + at);
    return p->y ? kd_lanes_where(*(const kd_lanes_at *)(p->y + at) > 0.0f, dy) : dy;
}

/* Of g and of g (x - mean). */
KD_INLINE void backward_sums_tile(const struct pass *p, int64_t at, int64_t column, int64_t rows,
                                  int64_t stride)
{
    kd_lanes mean = *(const kd_lanes_at *)(p->factors[MEAN] + column);
    half_doubles sum[2] = {{0}}, products[2] = {{0}};
    for (int64_t i = 0; i < rows; i++) {
        kd_lanes g = gradient_at(p, at + i * stride);
        add_doubles(g, sum);
        add_doubles(g * (*(const kd_lanes_at *)(p->x + at + i * stride) - mean), products);
    }
    add_to(p->sums[0] + column, sum);
    add_to(p->sums[1] + column, products);
}

static void backward_sums(const struct pass *p)
{
    each_tile(p, backward_sums_tile);
}

static void take_sum(double sum, double *sums, float *gradient, float beta)
{
    *sums = sum;
    *gradient = (float)sum + (beta == 0.0f ? 0.0f : *gradient);
}

KD_EACH_ISA(kd_cpu_batchnorm_backward_sums, struct kd_queue *queue,
            const struct kd_op_batchnorm_backward_sums *a)
{
    (void)queue;
    int64_t n = a->channels;
    if (n == 0)
        return;
    struct pass p = pass_new(a->rows, n, MEAN + 1, 2);
    p.x = a->x, p.dy = a->dy;
    p.y = a->activation == KD_ACTIVATION_RELU ? a->y : NULL;
    memcpy(p.factors[MEAN], a->saved, (size_t)n * sizeof(float));
    repeat(&p, MEAN + 1);
    backward_sums(&p);
    for (int64_t c = 0; c < n; c++) {
        take_sum(total_of(&p, 0, c), a->sums + c, a->dbias + c, a->beta);
        take_sum(total_of(&p, 1, c) * (double)a->saved[n + c], a->sums + n + c, a->dweight + c,
                 a->beta);
    }
}

/* ---- The backward pass: dx = scale g + slope (x - mean) + shift */

KD_INLINE void backward_tile(const struct pass *p, int64_t at, int64_t column, int64_t rows,
                             int64_t stride)
{
    kd_lanes mean = *(const kd_lanes_at *)(p->factors[MEAN] + column);
    kd_lanes scale = *(const kd_lanes_at *)(p->factors[SCALE] + column);
    kd_lanes shift = *(const kd_lanes_at *)(p->factors[SHIFT] + column);
    kd_lanes slope = *(const kd_lanes_at *)(p->factors[SLOPE] + column);
    for (int64_t i = 0; i < rows; i++) {
        kd_lanes g = gradient_at(p, at + i * stride);
        kd_lanes x = *(const kd_lanes_at *)(p->x + at + i * stride);
        kd_lanes dx = scale * g + (slope * (x - mean) + shift);
        if (p->adds)
            dx += *(const kd_lanes_at *)(p->out + at + i * stride);
        *(kd_lanes_at *)(p->out + at + i * stride) = dx;
    }
}

static void backward(const struct pass *p)
{
    each_tile(p, backward_tile);
}

KD_EACH_ISA(kd_cpu_batchnorm_backward, struct kd_queue *queue,
            const struct kd_op_batchnorm_backward *a)
{
    (void)queue;
    int64_t channels = a->channels;
    if (channels == 0)
        return;
    struct pass p = pass_new(a->rows, channels, N_FACTORS, 0);
    double n = (double)a->turn->n_global * (double)a->positions;
    double share = n > 1 ? 1 / n : 0; /* of one row the statistics were not its own */
    for (int64_t c = 0; c < channels; c++) {
        double rstd = a->saved[channels + c], scale = (double)a->weight[c] * rstd;
        p.factors[MEAN][c] = a->saved[c];
        p.factors[SCALE][c] = (float)scale;
        p.factors[SHIFT][c] = (float)(-scale * a->sums[c] * share);
        p.factors[SLOPE][c] = (float)(-scale * rstd * a->sums[channels + c] * share);
    }
    repeat(&p, N_FACTORS);
    p.x = a->x, p.dy = a->dy, p.out = a->dx;
    p.y = a->activation == KD_ACTIVATION_RELU ? a->y : NULL;
    p.adds = a->beta != 0.0f;
    backward(&p);
}
