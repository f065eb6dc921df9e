/* gpu_events.h - what the driver reports by itself: critical errors of GPUs (Xid), GPUs that are
 * lost, and errors of the NVSwitches between them (SXid). Asked for without waiting, but like every
 * call into NVML it may hang when a GPU is ill: for a thread of its own (gpu_watch.h). */
#ifndef KD_LAUNCH_GPU_EVENTS_H
#define KD_LAUNCH_GPU_EVENTS_H

#include <stdbool.h>

#include "coordinator/launch/kernel_log.h"
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
    bool is_on_switch[KD_POOL_MAX_GPUS];     /* its NVLinks go to NVSwitches */
    struct kd_kernel_log log;                /* where one is; not open: nobody may read it */
};

enum { KD_NO_GPU = -1 };

/* One GPU has an error, or an NVSwitch has. */
struct kd_gpu_fault {
    int gpu; /* its position; KD_NO_GPU: an NVSwitch has one that no GPU is known to be hit by */
    int xid; /* or the SXid; KD_XID_LOST: it is lost */
    char text[256]; /* of an NVSwitch: which, and what the driver says of it */
};

void kd_gpu_events_open(const struct kd_nvml *nvml, const struct kd_gpu *gpus, int n,
                        struct kd_gpu_handles *handles);
void kd_gpu_events_close(const struct kd_nvml *nvml, struct kd_gpu_handles *handles);

/* What has happened since the last time: how many were written, one for each GPU or instance that
 * is hit. At most `most`: the rest comes the next time. An SXid that is fatal to all hits every GPU
 * behind an NVSwitch; instances (MIG) have no NVLink. */
int kd_gpu_events_take(const struct kd_nvml *nvml, struct kd_gpu_handles *handles,
                       struct kd_gpu_fault *faults, int most);

#endif
