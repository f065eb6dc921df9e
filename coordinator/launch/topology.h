/* topology.h - how the GPUs of this host are connected: NVLinks between them, directly or through
 * NVSwitches, else the way over PCIe. What the pool compares (links.h) is made of it. */
#ifndef KD_LAUNCH_TOPOLOGY_H
#define KD_LAUNCH_TOPOLOGY_H

#include <stdbool.h>

#include "coordinator/launch/machine.h"
#include "coordinator/launch/nvml.h"

struct kd_connection {
    int nvlinks; /* between the two, or, through switches, of the one that has fewer; 0 = none */
    bool through_switch; /* every pair of such GPUs has all links of both */
    int pcie;            /* KD_NVML_SAME_BOARD .. KD_NVML_SYSTEM; -1 = not known */
    bool is_apart;       /* a MIG instance and a whole GPU: never in one gang */
};

struct kd_topology {
    int n;
    struct kd_connection pair[KD_POOL_MAX_GPUS][KD_POOL_MAX_GPUS]; /* symmetric */
};

/* The n GPUs that were found; nvml is open, or NULL: nothing is known. */
void kd_topology_find(const struct kd_nvml *nvml, const struct kd_gpu *gpus, int n,
                      struct kd_topology *topology);

/* An NVLink more is better than any way over PCIe; over PCIe the nearer the better. Between MIG
 * instances all is alike: they have neither NVLink nor a way to each other. */
void kd_topology_links(const struct kd_topology *topology, struct kd_links *links);

/* Has this GPU an active NVLink to an NVSwitch? */
bool kd_gpu_is_on_switch(const struct kd_nvml *nvml, kd_nvml_device device);

#endif
