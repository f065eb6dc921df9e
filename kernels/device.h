/* device.h - where ops run: a name, a table of ops, and the memory they work on.
 *
 * One device = one line in devices.def and a `const struct kd_device kd_device_<name>`, or a plugin
 * (plugin.h). Memory that a device gives is zeroed, aligned to 64 bytes and freed by the same
 * device. A queue belongs to one thread. */
#ifndef KD_KERNELS_DEVICE_H
#define KD_KERNELS_DEVICE_H

#include <stddef.h>

#include "coordinator/base/error.h"
#include "kernels/collective.h"
#include "kernels/ops.h"
#include "kernels/precision.h"

enum { KD_MARKS = 40, KD_IDENTITY_MAX = 40, KD_PAGE = 4096 };

enum { KD_DEVICE_IS_FULL = -2 }; /* what opening gives, beside -1 */

struct kd_recording; /* a device's own */

struct kd_device {
    const char *name, *summary;
    const struct kd_ops *ops;
    bool is_host; /* its memory is the host's, which may read and write it without a copy */
    const struct kd_collectives
        *collectives; /* between the devices of several processes; NULL: none */

    /* A queue (NULL is a valid one) for the calling thread, whose arithmetic it may set to flush
     * subnormal numbers. Where a host has several of the kind, number `which` of them, from the
     * first again after the last. -1: what is missing and what to do about it; KD_DEVICE_IS_FULL:
     * the same, where that is memory, all of which others hold. */
    int (*open)(int which, struct kd_queue **queue, struct kd_error *err);
    /* The same, of a queue whose work goes before that of others where both could be done: for work
     * that others wait for. */
    int (*open_urgent)(int which, struct kd_queue **queue, struct kd_error *err);
    void (*close)(struct kd_queue *queue); /* NULL is fine here and in free, opened or not */
    /* The name of the piece of hardware that this process has opened, different from that of any
     * other in the world. */
    void (*identity)(char text[KD_IDENTITY_MAX]);

    /* Ends the process where there is no more, with exit status KD_OUT_OF_MEMORY and a text that
     * says what there is: ask memory first. */
    void *(*alloc)(size_t bytes);
    void (*free)(void *memory);
    /* Bytes that may still be allocated, and those there are altogether. */
    void (*memory)(size_t *free_bytes, size_t *total_bytes);

    /* In the queue's order. From host memory that is pinned (and to any) the copy may still be
     * under way when the call returns; other host memory has been read. */
    void (*copy_in)(struct kd_queue *queue, void *device, const void *host, size_t bytes);
    void (*copy_out)(struct kd_queue *queue, void *host, const void *device, size_t bytes);
    /* Host memory that is copied often, made faster to copy for as long as it is pinned. Nothing
     * where that cannot be. It begins a page and has its pages to itself (kd_alloc_aligned by
     * KD_PAGE does), as whole pages are pinned. */
    void (*pin)(void *host, size_t bytes);
    void (*unpin)(void *host);

    void (*wait)(struct kd_queue *queue); /* until all that was queued is done */
    /* mark: a place in the queue's order, 0 .. KD_MARKS - 1, set anew each time; wait_mark: until
     * all before it is done. */
    void (*mark)(struct kd_queue *queue, int i);
    void (*wait_mark)(struct kd_queue *queue, int i);
    bool (*has_passed)(struct kd_queue *queue, int i); /* is all before it done? */
    /* What `queue` is given from now on begins after mark i of another queue of the device, as it
     * is now. Nobody waits here. */
    void (*wait_for)(struct kd_queue *queue, const struct kd_queue *other, int i);

    /* What the queue is given between record and end_record is not done but kept, and done whenever
     * it is replayed (replay.h). Likewise what another queue is given once it waits for a mark that
     * was set meanwhile, until the recording one waits for a mark of that in turn, which it has to;
     * such marks are for queues alone, and no host waits for them. What collectives (collective.h)
     * are asked for on these queues is recorded as well. One recording at a time.
     * record, false: this device, or this queue, keeps nothing. replay, false, with nothing done:
     * the queue had another precision then. */
    bool (*record)(struct kd_queue *queue);
    struct kd_recording *(*end_record)(struct kd_queue *queue);
    bool (*replay)(struct kd_queue *queue, struct kd_recording *recording);
    void (*free_recording)(struct kd_recording *recording);

    /* What the queue stores values as, and what products may round their factors to (precision.h),
     * from now on; fp32 at first. -1: what the device lacks for it, and the queue is as before. */
    int (*set_precision)(struct kd_queue *queue, enum kd_precision precision, struct kd_error *err);
};

extern const struct kd_device *const kd_devices[]; /* NULL-terminated */

/* "cuda" is loaded when it is first asked for. NULL and err: no such device here, with the names
 * there are, or why it cannot be loaded. */
const struct kd_device *kd_device_find(const char *name, struct kd_error *err);

#endif
