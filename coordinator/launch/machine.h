/* machine.h - what this host has to give: cores and GPUs, found at run time.
 *
 * GPUs come from NVML, loaded with dlopen (no CUDA toolkit needed), inside an inherited CUDA_VISIBLE_DEVICES. A stand-in
 * list for tests and rehearsals: KATYDID_FAKE_GPUS=4. */
#ifndef KD_LAUNCH_MACHINE_H
#define KD_LAUNCH_MACHINE_H

#include <stdint.h>

#include "coordinator/pool.h"

struct kd_gpu {
    int index; /* in PCI bus order, as CUDA_VISIBLE_DEVICES wants it */
    char uuid[96], name[96];
    int64_t memory_bytes;
};

struct kd_machine {
    int n_gpus, n_cpus;
    struct kd_gpu gpus[KD_POOL_MAX_GPUS];
    struct kd_links links;
    char *cpus[KD_POOL_MAX_CPUS]; /* the CPU numbers of each core we may use: "0,64"; owned */
    int64_t memory_bytes;
    char gpu_note[256]; /* why there are no GPUs, for doctor; empty when there are */
};

void kd_machine_find(struct kd_machine *machine);
void kd_machine_release(struct kd_machine *machine);

#endif
