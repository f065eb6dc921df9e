#include "kernels/flops.h"

#include "coordinator/base/clock.h"

static double product(int64_t m, int64_t n, int64_t k)
{
    return 2.0 * (double)m * (double)n * (double)k;
}

static double matmul(const struct kd_call *call)
{
    const struct kd_op_matmul *a = &call->args.matmul;
    return product(a->m, a->n, a->k);
}

static double linear(const struct kd_call *call)
{
    const struct kd_op_linear *a = &call->args.linear;
    return product(a->rows, a->n_out, a->n_in);
}

/* Scores and weighted sums over the half of the square that causality leaves. */
static double attention_product(int64_t n, int64_t length, int64_t n_heads, int64_t size)
{
    return product(n * n_heads, length * (length + 1) / 2, size);
}

static double attention(const struct kd_call *call)
{
    const struct kd_op_attention *a = &call->args.attention;
    return 2 * attention_product(a->n, a->length, a->n_heads, a->size);
}

/* The gradients of queries, keys, values and weights; that the scores are made anew is not counted. */
static double attention_backward(const struct kd_call *call)
{
    const struct kd_op_attention_backward *a = &call->args.attention_backward;
    return 4 * attention_product(a->n, a->length, a->n_heads, a->size);
}

static double convolution(const struct kd_window *w, int64_t c_out)
{
    int64_t pixels = w->n * kd_window_out(w, w->h) * kd_window_out(w, w->w);
    return product(pixels, c_out, w->kernel * w->kernel * w->channels);
}

static double conv2d(const struct kd_call *call)
{
    return convolution(&call->args.conv2d.window, call->args.conv2d.c_out);
}

static double conv2d_backward_x(const struct kd_call *call)
{
    return convolution(&call->args.conv2d_backward_x.window, call->args.conv2d_backward_x.c_out);
}

static double conv2d_backward_weight(const struct kd_call *call)
{
    return convolution(&call->args.conv2d_backward_weight.window,
                       call->args.conv2d_backward_weight.c_out);
}

/* The ops that are products; all others count as nothing. */
static double (*const counts[KD_N_OPS])(const struct kd_call *call) = {
    [KD_OP_matmul] = matmul,
    [KD_OP_linear] = linear,
    [KD_OP_conv2d] = conv2d,
    [KD_OP_conv2d_backward_x] = conv2d_backward_x,
    [KD_OP_conv2d_backward_weight] = conv2d_backward_weight,
    [KD_OP_attention] = attention,
    [KD_OP_attention_backward] = attention_backward,
};

double kd_call_flops(const struct kd_call *call)
{
    return counts[call->op] ? counts[call->op](call) : 0.0;
}

enum { PEAK_SIZE = 512, PEAK_RUNS = 8 };

double kd_device_peak_flops(const struct kd_device *device, struct kd_queue *queue)
{
    const size_t bytes = (size_t)PEAK_SIZE * PEAK_SIZE * sizeof(float);
    float *a = device->alloc(bytes), *b = device->alloc(bytes), *c = device->alloc(bytes);
    struct kd_call call =
        KD_CALL(matmul, .a = a, .b = b, .c = c, .m = PEAK_SIZE, .n = PEAK_SIZE, .k = PEAK_SIZE);
    double best = 0;
    for (int r = 0; r < PEAK_RUNS; r++) {
        int64_t start = kd_clock_mono_ns();
        kd_call_run(&call, device->ops, queue);
        device->wait(queue);
        double seconds = (double)(kd_clock_mono_ns() - start + 1) * 1e-9;
        double rate = kd_call_flops(&call) / seconds;
        best = rate > best ? rate : best;
    }
    device->free(a), device->free(b), device->free(c);
    return best;
}
