/* hardware.h - which ranks have the same GPU. Collective, after every rank has opened its
 * device. */
#ifndef KD_TRAINER_HARDWARE_H
#define KD_TRAINER_HARDWARE_H

#include "kernels/device.h"
#include "trainer/comm/comm.h"

/* A number for each rank that two ranks have in common only if they have the GPU in common; 52
 * bits, as a double has. The caller frees. */
double *kd_hardware_of_ranks(struct kd_comm *comm, const struct kd_device *device);

/* How many ranks have this rank's piece of hardware, itself included; 1 where it is the host's,
 * which ranks know how to share. */
int kd_ranks_on_device(struct kd_comm *comm, const struct kd_device *device);

#endif
