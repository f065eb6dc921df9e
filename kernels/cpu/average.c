/* average.c - the average of the weights, and the factors that clip a gradient and take a loss's
 * scale out of it. */
#include <math.h>

#include "kernels/cpu/table.h"
#include "kernels/cpu/update.h"

KD_SIMD static void average(const float *restrict x, float *restrict y, int64_t n, float decay)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = decay * y[i] + (1.0f - decay) * x[i];
}

void kd_cpu_average(struct kd_queue *queue, const struct kd_op_average *a)
{
    (void)queue;
    if (!kd_is_left_out(a->scale))
        average(a->x, a->average, a->n, a->hyper->average_decay);
}

static double clipped(double norm, double most)
{
    return most > 0 && norm > most ? most / norm : 1.0;
}

void kd_cpu_clip(struct kd_queue *queue, const struct kd_op_clip *a)
{
    (void)queue;
    double norm = sqrt(*a->sum_squares);
    *a->norm = (float)norm;
    *a->scale = (float)clipped(norm, (double)a->hyper->clip);
}

static void move_on(struct kd_loss_scale *loss, bool is_good)
{
    loss->n_good = is_good              ? (loss->n_good < 0 ? 1 : loss->n_good + 1)
                   : loss->scale > 1.0f ? 0
                                        : -1;
    if (!is_good && loss->scale > 1.0f)
        loss->scale *= 0.5f;
    loss->n_left_out += !is_good;
    if (loss->n_good < KD_LOSS_SCALE_STEPS)
        return;
    loss->scale = loss->scale < KD_LOSS_SCALE_MOST ? 2.0f * loss->scale : loss->scale;
    loss->n_good = 0;
}

void kd_cpu_unscale(struct kd_queue *queue, const struct kd_op_unscale *a)
{
    (void)queue;
    double scale = (double)a->loss->scale, norm = sqrt(*a->sum_squares) / scale;
    bool is_good = isfinite(*a->sum_squares);
    *a->norm = (float)norm;
    *a->scale = is_good ? (float)(clipped(norm, (double)a->hyper->clip) / scale) : -1.0f;
    a->hyper->step -= a->loss->n_left_out;
    move_on(a->loss, is_good);
}
