/* gpus.h - the GPUs of this host; see machine.h. */
#ifndef KD_LAUNCH_GPUS_H
#define KD_LAUNCH_GPUS_H

#include <stddef.h>

#include "coordinator/launch/machine.h"
#include "coordinator/launch/topology.h"

/* How many were found and written, in PCI bus order, with how they are connected; note says why
 * there are none, or fewer than the driver knows; else it is empty. */
int kd_gpus_find(struct kd_gpu *gpus, int most, struct kd_topology *topology, char *note,
                 size_t note_size);

/* "1,3" or "MIG-...": the chosen of them for CUDA_VISIBLE_DEVICES, under
 * CUDA_DEVICE_ORDER=PCI_BUS_ID. On a host with MIG instances whole GPUs are named by their UUIDs
 * too. Owned. */
char *kd_gpus_list(const struct kd_gpu *gpus, const int *chosen, int n);

/* What CUDA would show of them: keeps the GPUs that `visible` (CUDA_VISIBLE_DEVICES; NULL = not
 * set, all) names by index, UUID, or a beginning of a UUID that only one has, up to the first entry
 * that fits none. A GPU in MIG mode that is named by index shows its first instance, an instance
 * needs its whole UUID. Returns how many are left, in their old order. */
int kd_gpus_visible(struct kd_gpu *gpus, int n, const char *visible);

#endif
