/* device.h - where ops run: a name, a table of ops, and the memory they work on.
 *
 * One device = one line in devices.def and a `const struct kd_device kd_device_<name>`. Memory that a device gives is
 * zeroed, aligned to 64 bytes and freed by the same device. A queue belongs to one thread. */
#ifndef KD_KERNELS_DEVICE_H
#define KD_KERNELS_DEVICE_H

#include <stddef.h>

#include "coordinator/base/error.h"
#include "kernels/ops.h"

struct kd_device {
    const char *name, *summary;
    const struct kd_ops *ops;

    /* A queue (NULL is a valid one) for the calling thread, whose arithmetic it may set to flush subnormal numbers. -1:
     * what is missing and what to do about it. */
    int (*open)(struct kd_queue **queue, struct kd_error *err);
    void (*close)(struct kd_queue *queue); /* NULL is fine here and in free, opened or not */

    void *(*alloc)(size_t bytes);
    void (*free)(void *memory);
    void (*copy_in)(struct kd_queue *queue, void *device, const void *host, size_t bytes);
    void (*copy_out)(struct kd_queue *queue, void *host, const void *device, size_t bytes);
    void (*wait)(struct kd_queue *queue); /* until all that was queued is done */
};

extern const struct kd_device *const kd_devices[]; /* NULL-terminated */

/* NULL and err: no such device here, with the names there are. */
const struct kd_device *kd_device_find(const char *name, struct kd_error *err);

#endif
