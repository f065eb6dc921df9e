/* conv2d.c - the three passes of a convolution: what oneDNN is asked for, and what it has no word
 * for. */
#include <string.h>

#include "kernels/cpu/convolution.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/table.h"

static int64_t count_x(const struct kd_window *w)
{
    return w->n * w->h * w->w * w->channels;
}

static int64_t n_pixels_out(const struct kd_window *w)
{
    return w->n * kd_window_out(w, w->h) * kd_window_out(w, w->w);
}

static void clear(float *x, int64_t n)
{
    if (n > 0)
        memset(x, 0, (size_t)n * sizeof *x);
}

/* oneDNN takes pointers to what it may write; which of them it writes follows from the pass. */
static float *unconst(const float *x)
{
    float *result;
    memcpy(&result, &x, sizeof result);
    return result;
}

/* No channels in: y = bias. */
static void forward_of_nothing(struct kd_queue *queue, const struct kd_op_conv2d *a)
{
    int64_t n = n_pixels_out(&a->window);
    clear(a->y, n * a->c_out);
    if (a->bias)
        kd_cpu_add_row(queue,
                       &(struct kd_op_add_row){
                           .x = a->y, .row = a->bias, .y = a->y, .rows = n, .columns = a->c_out});
}

void kd_cpu_conv2d(struct kd_queue *queue, const struct kd_op_conv2d *a)
{
    if (count_x(&a->window) == 0 || a->c_out == 0) {
        forward_of_nothing(queue, a);
        return;
    }
    kd_conv_run(
        &(struct kd_conv_key){.window = a->window,
                              .c_out = a->c_out,
                              .pass = KD_CONV_FORWARD,
                              .has_bias = a->bias != NULL},
        &(struct kd_conv_data){
            .x = unconst(a->x), .y = a->y, .weight = unconst(a->weight), .bias = unconst(a->bias)});
}

/* oneDNN cannot add to dx, so that takes a pass of its own. */
void kd_cpu_conv2d_backward_x(struct kd_queue *queue, const struct kd_op_conv2d_backward_x *a)
{
    int64_t n = count_x(&a->window);
    bool adds = a->beta != 0.0f;
    if (n == 0 || a->c_out == 0) {
        clear(a->dx, adds ? 0 : n);
        return;
    }
    float *dx = adds ? kd_cpu_scratch(KD_SCRATCH_CONV, (size_t)n * sizeof *dx) : a->dx;
    kd_conv_run(
        &(struct kd_conv_key){.window = a->window, .c_out = a->c_out, .pass = KD_CONV_BACKWARD_X},
        &(struct kd_conv_data){.x = dx, .y = unconst(a->dy), .weight = unconst(a->weight)});
    if (adds)
        kd_cpu_add(queue, &(struct kd_op_add){.a = a->dx, .b = dx, .y = a->dx, .n = n});
}

void kd_cpu_conv2d_backward_weight(struct kd_queue *queue,
                                   const struct kd_op_conv2d_backward_weight *a)
{
    (void)queue;
    const struct kd_window *w = &a->window;
    bool adds = a->beta != 0.0f;
    if (count_x(w) == 0 || a->c_out == 0) {
        clear(a->dweight, adds ? 0 : a->c_out * w->kernel * w->kernel * w->channels);
        return;
    }
    kd_conv_run(
        &(struct kd_conv_key){
            .window = *w, .c_out = a->c_out, .pass = KD_CONV_BACKWARD_WEIGHT, .adds = adds},
        &(struct kd_conv_data){.x = unconst(a->x), .y = unconst(a->dy), .weight = a->dweight});
}
