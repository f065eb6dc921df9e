/* machine.h - what this host has to give: cores and GPUs, found at run time.
 *
 * GPUs come from NVML (nvml.h), inside an inherited CUDA_VISIBLE_DEVICES. A GPU in MIG mode is not
 * given as a whole: its instances are. A stand-in list for tests and rehearsals:
 * KATYDID_FAKE_GPUS=4. */
#ifndef KD_LAUNCH_MACHINE_H
#define KD_LAUNCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/pool.h"

struct kd_gpu {
    int index;          /* in PCI bus order; of a MIG instance its GPU's */
    bool is_mig;        /* an instance */
    bool has_no_number; /* for CUDA_VISIBLE_DEVICES, which wants its UUID; else it gets the index */
    char uuid[96], name[96];
    int64_t memory_bytes;
};

struct kd_machine {
    int n_gpus, n_cpus;
    struct kd_gpu gpus[KD_POOL_MAX_GPUS];
    struct kd_links links;        /* between the GPUs */
    char *cpus[KD_POOL_MAX_CPUS]; /* the CPU numbers of each core we may use: "0,64"; owned */
    int64_t memory_bytes;
    char gpu_note[256]; /* why there are no GPUs, or fewer; empty when there is nothing to say */
};

void kd_machine_find(struct kd_machine *machine);
void kd_machine_release(struct kd_machine *machine);

#endif
