/* gpu_events.h - what the driver reports of GPUs by itself: critical errors (Xid), and GPUs that are lost. Asked for without
 * waiting, but like every call into NVML it may hang when a GPU is ill: for a thread of its own (gpu_watch.h). */
#ifndef KD_LAUNCH_GPU_EVENTS_H
#define KD_LAUNCH_GPU_EVENTS_H

#include <stdbool.h>

#include "coordinator/launch/machine.h"
#include "coordinator/launch/nvml.h"
#include "coordinator/launch/xid.h"

/* The GPUs of the machine as the driver knows them; the thread's own. */
struct kd_gpu_handles {
    int n;
    kd_nvml_device device[KD_POOL_MAX_GPUS]; /* NULL: cannot be reached */
    kd_nvml_device whole[KD_POOL_MAX_GPUS];  /* the same; of a MIG instance its GPU */
    unsigned instance[KD_POOL_MAX_GPUS];     /* UINT_MAX: it is none, or not known */
    bool is_gone[KD_POOL_MAX_GPUS];          /* it was lost before it was looked for */
    bool is_lost[KD_POOL_MAX_GPUS];          /* it was reported as that */
    void *events;                            /* of the library; NULL: it has none to give */
};

/* One GPU has an error. */
struct kd_gpu_fault {
    int gpu; /* its position */
    int xid; /* KD_XID_LOST: it is lost */
};

void kd_gpu_events_open(const struct kd_nvml *nvml, const struct kd_gpu *gpus, int n,
                        struct kd_gpu_handles *handles);
void kd_gpu_events_close(const struct kd_nvml *nvml, struct kd_gpu_handles *handles);

/* What has happened since the last time: how many were written, one for each GPU or instance that is hit. At most `most`: the
 * rest comes the next time. */
int kd_gpu_events_take(const struct kd_nvml *nvml, struct kd_gpu_handles *handles,
                       struct kd_gpu_fault *faults, int most);

#endif
