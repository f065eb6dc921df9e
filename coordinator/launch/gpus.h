/* gpus.h - the GPUs of this host; see machine.h. */
#ifndef KD_LAUNCH_GPUS_H
#define KD_LAUNCH_GPUS_H

#include <stddef.h>

#include "coordinator/launch/machine.h"

/* How many were found and written; note says why when there are none. */
int kd_gpus_find(struct kd_gpu *gpus, int most, char *note, size_t note_size);

#endif
