#include "kernels/cpu/fastmath.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/table.h"

enum { BLOCK = 4096 }; /* a float's precision is enough for a block's sum */

/* Of a block. */
struct sums {
    kd_lanes loss;
    kd_lanes_int right; /* below 0 */
};

/* With e = e^-|y| the loss is max(y, 0) - y t + log(1 + e), and the sigmoid 1 / (1 + e), or e / (1 + e) below 0: no overflow at either
 * end, and a NaN stays one. */
KD_INLINE void add_lanes(struct sums *sums, float *y, const float *t, float factor)
{
    float loss[KD_LANES], gradient[KD_LANES];
    int32_t right[KD_LANES];
    for (int l = 0; l < KD_LANES; l++) {
        float e = kd_fast_exp(-fabsf(y[l]));
        loss[l] = (y[l] < 0.0f ? 0.0f : y[l]) - y[l] * t[l] + kd_fast_log1p(e);
        gradient[l] = ((y[l] < 0.0f ? e : 1.0f) / (1.0f + e) - t[l]) * factor;
        right[l] = -(((y[l] > 0.0f) == (t[l] > 0.5f)) & (y[l] == y[l]));
    }
    sums->loss += *(const kd_lanes_at *)loss;
    sums->right += *(const kd_lanes_int *)right;
    if (factor != 0.0f)
        memcpy(y, gradient, sizeof gradient);
}

/* The n < KD_LANES elements behind the whole vectors, filled up by ones that are sure of the right answer. */
KD_INLINE void add_rest(struct sums *sums, float *y, const float *t, int64_t n, float factor)
{
    float y_rest[KD_LANES], t_rest[KD_LANES] = {0};
    for (int l = 0; l < KD_LANES; l++)
        y_rest[l] = -1e9f;
    memcpy(y_rest, y, (size_t)n * sizeof *y);
    memcpy(t_rest, t, (size_t)n * sizeof *t);
    add_lanes(sums, y_rest, t_rest, factor);
    sums->right[0] += (int32_t)(KD_LANES - n);
    memcpy(y, y_rest, (size_t)n * sizeof *y);
}

KD_INLINE void take(struct sums *sums, double *loss, int64_t *n_right)
{
    *loss += (double)kd_lanes_sum((const kd_lanes_at *)&sums->loss);
    for (int l = 0; l < KD_LANES; l++)
        *n_right -= sums->right[l];
}

/* y becomes its gradient times factor where that is not 0. */
KD_SIMD static double all(float *y, const float *t, int64_t n, float factor, int64_t *n_right)
{
    double loss = 0.0;
    for (int64_t at = 0; at < n; at += BLOCK) {
        struct sums sums = {{0}, {0}};
        int64_t end = n - at < BLOCK ? n : at + BLOCK, whole = at + kd_lanes_down(end - at);
        for (int64_t j = at; j < whole; j += KD_LANES)
            add_lanes(&sums, y + j, t + j, factor);
        if (whole < end)
            add_rest(&sums, y + whole, t + whole, end - whole, factor);
        take(&sums, &loss, n_right);
    }
    return loss;
}

void kd_cpu_bce(struct kd_queue *queue, const struct kd_op_bce *a)
{
    (void)queue;
    int64_t n = a->rows * a->n_targets, n_right = 0;
    if (n == 0)
        return;
    double counted = (double)a->n_targets * (double)a->turn->n_counted;
    double loss = all(a->y, a->targets, n, a->backward ? (float)(1.0 / counted) : 0.0f, &n_right);
    a->sums->loss += loss / (double)a->n_targets;
    a->sums->n_correct += n_right;
    a->sums->n_top5 += n_right;
    a->sums->n_counted += a->rows;
}
