/* bench_device.h - the device that is measured, and its ceilings: the bandwidth of a large copy and
 * the rate of a large product, both reached by its own ops on this machine, now. */
#ifndef KD_TESTS_BENCH_DEVICE_H
#define KD_TESTS_BENCH_DEVICE_H

#include "kernels/device.h"

struct bench_device {
    const struct kd_device *device;
    struct kd_queue *queue;
    enum kd_precision precision; /* the queue's: of values and products */
    double
        copy_rate; /* bytes a second, read and written, of `activation` none over arrays beyond any cache */
    double peak_flops; /* kd_device_peak_flops */
};

/* which: as kd_device's open. -1 also where the device lacks the precision. */
int bench_device_open(struct bench_device *bench, const char *name, int which,
                      enum kd_precision precision, struct kd_error *err);
void bench_device_close(struct bench_device *bench); /* after a failed open, too */

/* is_quick: over arrays that are small, which a cache may hold. */
void bench_device_measure(struct bench_device *bench, bool is_quick);

/* The ceilings as a line of text on stdout. */
void bench_device_print(const struct bench_device *bench);

#endif
