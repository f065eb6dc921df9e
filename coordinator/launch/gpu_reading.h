/* gpu_reading.h - one look at a GPU, asked of NVML. Takes a millisecond or a few, and may never
 * return when the GPU is ill: for a thread of its own (gpu_watch.h). */
#ifndef KD_LAUNCH_GPU_READING_H
#define KD_LAUNCH_GPU_READING_H

#include "coordinator/gpu_usage.h"
#include "coordinator/launch/nvml.h"

/* False: the GPU is lost. What the driver does not say is -1. Power is asked for only where there
 * is no counter of energy. */
bool kd_gpu_read(const struct kd_nvml *nvml, kd_nvml_device device, struct kd_gpu_reading *reading);

#endif
