/* replay.h - a stretch of work that comes again and again: given call by call the first time,
 * recorded the second, and replayed as a whole from then on (on a GPU as one CUDA graph), where the
 * device can.
 *
 *     if (kd_replay_begin(&replay, device, queue)) {
 *         ... ops, each time the same ones with the same arguments, and nothing that waits ...
 *         kd_replay_end(&replay, device, queue);
 *     }
 *
 * Values in memory may differ each time; pointers, sizes and everything else in the arguments may
 * not: who changes them drops the recording. The first time makes what ops keep on the device
 * (scratch memory, tables), which cannot be made while recording. */
#ifndef KD_KERNELS_REPLAY_H
#define KD_KERNELS_REPLAY_H

#include "kernels/device.h"

struct kd_replay {
    struct kd_recording *recording; /* owned; NULL: none yet */
    bool is_warm;                   /* it was done once, call by call */
    bool is_recording;
};

/* False: it was replayed. True: the caller makes the calls, then kd_replay_end. */
bool kd_replay_begin(struct kd_replay *replay, const struct kd_device *device,
                     struct kd_queue *queue);
void kd_replay_end(struct kd_replay *replay, const struct kd_device *device,
                   struct kd_queue *queue);

/* Back to the first time. Before the queue is closed. */
void kd_replay_drop(struct kd_replay *replay, const struct kd_device *device);

#endif
