/* gpus.h - the GPUs of this host; see machine.h. */
#ifndef KD_LAUNCH_GPUS_H
#define KD_LAUNCH_GPUS_H

#include <stddef.h>

#include "coordinator/launch/machine.h"

/* How many were found and written; note says why when there are none. */
int kd_gpus_find(struct kd_gpu *gpus, int most, char *note, size_t note_size);

/* What CUDA would show of them: keeps the GPUs that `visible` (CUDA_VISIBLE_DEVICES; NULL = not set, all) names by index,
 * UUID, or a beginning of a UUID that only one has, up to the first entry that fits none. Returns how many are left, in
 * their old order. */
int kd_gpus_visible(struct kd_gpu *gpus, int n, const char *visible);

#endif
