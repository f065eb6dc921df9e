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

/* The ops that are products; all others count as nothing. */
static double (*const counts[KD_N_OPS])(const struct kd_call *call) = {
    [KD_OP_matmul] = matmul,
    [KD_OP_linear] = linear,
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
