/* recording.h - what a queue of the CUDA device is given between record and end_record (device.h),
 * as a CUDA graph.
 *
 * Other queues have a part in it where they wait for a mark of the recording one, and it for a mark
 * of theirs at last: what they are given in between is a branch of the graph. */
#ifndef KD_KERNELS_CUDA_RECORDING_H
#define KD_KERNELS_CUDA_RECORDING_H

#include "kernels/cuda/table.h"

bool kd_cuda_record(struct kd_queue *queue);
struct kd_recording *kd_cuda_end_record(struct kd_queue *queue);
bool kd_cuda_replay(struct kd_queue *queue, struct kd_recording *recording);
void kd_cuda_free_recording(struct kd_recording *recording);

/* Does this thread record something now, of whichever queue? */
bool kd_cuda_is_recording(void);

/* Is what the queue is given now recorded? */
bool kd_cuda_is_recorded(const struct kd_queue *queue);

/* Has the recording that this thread makes something in it that cannot be done? What failed may
 * have spoilt the capture, which then refuses whatever else it is given
 * (cudaErrorStreamCaptureInvalidated). That is no failure of its own: nothing of it is replayed,
 * and who waits for what failed first is told of that. */
bool kd_cuda_recording_is_lost();

/* What is recorded, and has something to it that no graph does. */
struct kd_recorded {
    bool (*can_be_done)(
        void *ud); /* false: the recording must not be replayed, and does nothing from now on */
    void (*is_replayed)(void *ud, struct kd_queue *queue); /* it is queued now */
    void (*is_dropped)(void *ud);                          /* with its recording */
    void *ud;
};

/* For the recording that this thread makes. */
void kd_cuda_keep_recorded(struct kd_recorded recorded);

#endif
