/* gpu.h - which GPU a process uses, and why there is none: what is missing is said by name. */
#ifndef KD_KERNELS_CUDA_GPU_H
#define KD_KERNELS_CUDA_GPU_H

#include "kernels/cuda/table.h"

/* Number `which` of those that the process sees, from the first again after the last, is this
 * thread's from now on. *architecture: of the code that it will run (table.h). Negative: err, as
 * kd_device's open (device.h). */
int kd_cuda_use_gpu(int which, int *architecture, struct kd_error *err);

/* Not even CUDA itself has room: what is free is not known, as asking takes memory too. It may have
 * later: KD_DEVICE_IS_FULL. */
int kd_cuda_no_room(struct kd_error *err);

#endif
