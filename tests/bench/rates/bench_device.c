#include "tests/bench/rates/bench_device.h"

#include <stdio.h>

#include "coordinator/base/mem.h"
#include "kernels/flops.h"
#include "tests/bench/rates/stopwatch.h"

/* Bytes of each of the two arrays: more than the caches that there are, of a CPU's share and of a
 * GPU. */
static const size_t HOST_BYTES = 64 << 20, DEVICE_BYTES = 512 << 20, QUICK_BYTES = 64 << 10;

int bench_device_open(struct bench_device *bench, const char *name, int which,
                      enum kd_precision precision, struct kd_error *err)
{
    *bench = (struct bench_device){.device = kd_device_find(name, err), .precision = precision};
    if (!bench->device)
        return -1;
    if (bench->device->open(which, &bench->queue, err) == 0)
        return bench->device->set_precision(bench->queue, precision, err);
    bench->device = NULL;
    return -1;
}

void bench_device_close(struct bench_device *bench)
{
    if (bench->device)
        bench->device->close(bench->queue);
}

static double copy_rate(const struct bench_device *bench, size_t bytes)
{
    const struct kd_device *device = bench->device;
    char *memory = device->alloc(2 * bytes);
    struct kd_call call = KD_CALL(activation, .x = memory, .y = memory + bytes,
                                  .n = (int64_t)bytes / kd_precision_bytes(bench->precision),
                                  .activation = KD_ACTIVATION_NONE);
    double us = stopwatch_median_us(&(struct stopwatch_job){.device = device,
                                                            .queue = bench->queue,
                                                            .calls = &call,
                                                            .n_calls = 1,
                                                            .runs = 9,
                                                            .run_us = 2e4,
                                                            .budget_us = 5e5});
    device->free(memory);
    return 2.0 * (double)bytes / (us * 1e-6);
}

void bench_device_measure(struct bench_device *bench, bool is_quick)
{
    size_t free_bytes, total, bytes = bench->device->is_host ? HOST_BYTES : DEVICE_BYTES;
    bench->device->memory(&free_bytes, &total);
    while (bytes > QUICK_BYTES && (is_quick || bytes > free_bytes / 8))
        bytes /= 2;
    bench->copy_rate = copy_rate(bench, bytes);
    /* Twice: the first products make what the device keeps for them, which would pass for their
     * time. */
    kd_device_peak_flops(bench->device, bench->queue);
    bench->peak_flops = kd_device_peak_flops(bench->device, bench->queue);
}

void bench_device_print(const struct bench_device *bench)
{
    printf("%s, %s: copies %.1f GB/s (read and written), large products %.1f GFLOP/s\n",
           bench->device->name, kd_precision_name(bench->precision), bench->copy_rate * 1e-9,
           bench->peak_flops * 1e-9);
}
