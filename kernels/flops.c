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

/* The gradients of queries, keys, values and weights; that the scores are made anew is not
 * counted. */
static double attention_backward(const struct kd_call *call)
{
    const struct kd_op_attention_backward *a = &call->args.attention_backward;
    return 4 * attention_product(a->n, a->length, a->n_heads, a->size);
}

static double convolution(const struct kd_window *window, int64_t c_out)
{
    int64_t positions = kd_window_out(window, window->h) * kd_window_out(window, window->w);
    return product(window->n * positions, c_out,
                   window->kernel * window->kernel * window->channels);
}

static double conv2d(const struct kd_call *call)
{
    return convolution(&call->args.conv2d.window, call->args.conv2d.c_out);
}

static double conv2d_backward_x(const struct kd_call *call)
{
    const struct kd_op_conv2d_backward_x *a = &call->args.conv2d_backward_x;
    return convolution(&a->window, a->c_out);
}

static double conv2d_backward_weight(const struct kd_call *call)
{
    const struct kd_op_conv2d_backward_weight *a = &call->args.conv2d_backward_weight;
    return convolution(&a->window, a->c_out);
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

enum {
    SIZE_FIRST = 64,
    SIZE_LAST = 4096,
    ENOUGH_NS = 1000000,
    BUDGET_NS = 20000000,
    RUNS_MAX = 64
};

/* Nanoseconds that one product of two matrices of size x size takes. */
static int64_t time_product(const struct kd_device *device, struct kd_queue *queue, float *memory,
                            int64_t size)
{
    int64_t n = size * size, start = kd_clock_mono_ns();
    struct kd_call call = KD_CALL(matmul, .a = memory, .b = memory + n, .c = memory + 2 * n,
                                  .m = size, .n = size, .k = size);
    kd_call_run(&call, device->ops, queue);
    device->wait(queue);
    return kd_clock_mono_ns() - start + 1;
}

static size_t bytes_of(int64_t size)
{
    return 3 * (size_t)(size * size) * sizeof(float);
}

/* A measurement must not be what the memory ends with; the smallest one is nothing. */
static bool has_room(const struct kd_device *device, int64_t size)
{
    size_t free_bytes, total_bytes;
    device->memory(&free_bytes, &total_bytes);
    return size == SIZE_FIRST || 2 * bytes_of(size) <= free_bytes;
}

/* Larger and larger ones, until one keeps the device busy for a while: a core of a CPU as well as a
 * GPU. The first of a size is not counted, as libraries make their code for it. */
double kd_device_peak_flops(const struct kd_device *device, struct kd_queue *queue)
{
    int64_t size = 0, spent = 0, last = 0;
    double best = 0;
    float *memory = NULL;
    for (int r = 0; r < RUNS_MAX && spent < BUDGET_NS; r++) {
        if (last < ENOUGH_NS && size < SIZE_LAST &&
            has_room(device, size ? 2 * size : SIZE_FIRST)) {
            size = size ? 2 * size : SIZE_FIRST;
            device->free(memory);
            memory = device->alloc(bytes_of(size));
            time_product(device, queue, memory, size);
        }
        last = time_product(device, queue, memory, size);
        double rate = 2.0 * (double)(size * size * size) / ((double)last * 1e-9);
        best = rate > best ? rate : best;
        spent += last;
    }
    device->free(memory);
    return best;
}
