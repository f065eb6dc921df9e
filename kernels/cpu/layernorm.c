/* layernorm.c - rows are short enough to stay in the first cache, so each is read as often as is
 * convenient. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/table.h"

enum { ROWS_AHEAD = 8 };

KD_INLINE void prefetch_row(const float *x, int64_t row, int64_t rows, int64_t columns)
{
    if (row < rows)
        kd_prefetch(x, row * columns, (row + 1) * columns);
}

KD_INLINE float mean_of(const float *x, int64_t n)
{
    kd_lanes sum = {0};
    int64_t whole = kd_lanes_down(n);
    for (int64_t j = 0; j < whole; j += KD_LANES)
        sum += *(const kd_lanes_at *)(x + j);
    for (int64_t j = whole; j < n; j++)
        sum[j - whole] += x[j];
    return kd_lanes_sum(&sum) / (float)n;
}

/* Of the distances to the mean, which a difference of sums of squares would lose when the mean is
 * great. */
KD_INLINE float variance_of(const float *x, float mean, int64_t n)
{
    kd_lanes sum = {0};
    int64_t whole = kd_lanes_down(n);
    for (int64_t j = 0; j < whole; j += KD_LANES) {
        kd_lanes distance = *(const kd_lanes_at *)(x + j) - mean;
        sum += distance * distance;
    }
    for (int64_t j = whole; j < n; j++)
        sum[j - whole] += (x[j] - mean) * (x[j] - mean);
    return kd_lanes_sum(&sum) / (float)n;
}

static void forward(const struct kd_op_layernorm *a)
{
    const float *restrict weight = a->weight, *restrict bias = a->bias;
    int64_t n = a->columns;
    for (int64_t i = 0; i < a->rows; i++) {
        const float *restrict x = (const float *)a->x + i * n;
        float *restrict y = (float *)a->y + i * n;
        prefetch_row(a->x, i + ROWS_AHEAD, a->rows, n);
        float mean = mean_of(x, n);
        float rstd = 1.0f / sqrtf(variance_of(x, mean, n) + a->epsilon);
        a->saved[2 * i] = mean;
        a->saved[2 * i + 1] = rstd;
        if (bias)
            for (int64_t j = 0; j < n; j++)
                y[j] = (x[j] - mean) * rstd * weight[j] + bias[j];
        else
            for (int64_t j = 0; j < n; j++)
                y[j] = (x[j] - mean) * rstd * weight[j];
    }
}

KD_EACH_ISA(kd_cpu_layernorm, struct kd_queue *queue, const struct kd_op_layernorm *a)
{
    (void)queue;
    forward(a);
}

/* A row of the backward pass: with g = dy weight, dx = rstd (g - mean(g) - xhat mean(g xhat)). */
struct row {
    const float *dy, *x, *weight;
    float *dx, *dweight, *dbias;
    float mean, rstd;
    int64_t n;
};

/* mean(g) and mean(g xhat). */
KD_INLINE void means_of(const struct row *r, float means[2])
{
    float mean = r->mean, rstd = r->rstd;
    kd_lanes g_sum = {0}, product_sum = {0};
    int64_t whole = kd_lanes_down(r->n);
    for (int64_t j = 0; j < whole; j += KD_LANES) {
        kd_lanes g = *(const kd_lanes_at *)(r->dy + j) * *(const kd_lanes_at *)(r->weight + j);
        g_sum += g;
        product_sum += g * ((*(const kd_lanes_at *)(r->x + j) - mean) * rstd);
    }
    for (int64_t j = whole; j < r->n; j++) {
        float g = r->dy[j] * r->weight[j];
        g_sum[j - whole] += g;
        product_sum[j - whole] += g * ((r->x[j] - mean) * rstd);
    }
    means[0] = kd_lanes_sum(&g_sum) / (float)r->n;
    means[1] = kd_lanes_sum(&product_sum) / (float)r->n;
}

KD_INLINE void add_to_parameters(const struct row *r)
{
    const float *restrict dy = r->dy, *restrict x = r->x;
    float *restrict dweight = r->dweight, *restrict dbias = r->dbias;
    float mean = r->mean, rstd = r->rstd;
    for (int64_t j = 0; j < r->n; j++)
        dweight[j] += dy[j] * ((x[j] - mean) * rstd);
    if (dbias)
        for (int64_t j = 0; j < r->n; j++)
            dbias[j] += dy[j];
}

/* dx may be dy: each element is read before it is written, which `restrict` may not promise and the
 * pragma does. */
KD_INLINE void write_dx(const struct row *r, const float means[2], bool adds)
{
    const float *dy = r->dy, *x = r->x, *weight = r->weight;
    float *dx = r->dx;
    float mean = r->mean, rstd = r->rstd, mean_g = means[0], mean_product = means[1];
    if (adds)
#pragma omp simd
        for (int64_t j = 0; j < r->n; j++)
            dx[j] += rstd * (dy[j] * weight[j] - mean_g - (x[j] - mean) * rstd * mean_product);
    else
#pragma omp simd
        for (int64_t j = 0; j < r->n; j++)
            dx[j] = rstd * (dy[j] * weight[j] - mean_g - (x[j] - mean) * rstd * mean_product);
}

static void backward(const struct kd_op_layernorm_backward *a)
{
    for (int64_t i = 0; i < a->rows; i++) {
        const struct row row = {
            .dy = (const float *)a->dy + i * a->columns,
            .x = (const float *)a->x + i * a->columns,
            .weight = a->weight,
            .dx = a->dx ? (float *)a->dx + i * a->columns : NULL,
            .dweight = a->dweight,
            .dbias = a->dbias,
            .mean = a->saved[2 * i],
            .rstd = a->saved[2 * i + 1],
            .n = a->columns,
        };
        float means[2];
        prefetch_row(a->x, i + ROWS_AHEAD, a->rows, a->columns);
        prefetch_row(a->dy, i + ROWS_AHEAD, a->rows, a->columns);
        add_to_parameters(&row);
        if (!row.dx)
            continue;
        means_of(&row, means);
        write_dx(&row, means, a->beta_dx != 0.0f);
    }
}

KD_EACH_ISA(kd_cpu_layernorm_backward, struct kd_queue *queue,
            const struct kd_op_layernorm_backward *a)
{
    (void)queue;
    size_t bytes = (size_t)a->columns * sizeof(float);
    if (a->beta == 0.0f && bytes)
        memset(a->dweight, 0, bytes);
    if (a->beta == 0.0f && bytes && a->dbias)
        memset(a->dbias, 0, bytes);
    backward(a);
}
