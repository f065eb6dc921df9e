/* nccl.h - what sums over the GPUs of a gang whose ranks each have one of their own: brought
 * together once, kept from trial to trial.
 *
 * The ranks of a gang do not change, so one communicator serves all its trials. Making one takes a
 * second on a machine of eight GPUs. A sum that fails, or that is not done within the ranks'
 * deadline (comm.h), ends the process with NCCL's last sums on stderr: what lies on the GPU is of
 * no use any more. mpirun then ends the gang, which goes on from its last checkpoint. */
#ifndef KD_TRAINER_NCCL_H
#define KD_TRAINER_NCCL_H

#include "kernels/device.h"
#include "trainer/comm/comm.h"

struct kd_nccl_gang {
    const struct kd_device *device; /* NULL: not open */
    struct kd_collective *collective;
    struct kd_comm *comm; /* borrowed */
};

/* Collective, after every rank has opened its device. -1 on every rank, with the text on each: two
 * ranks have the same GPU, NCCL is missing, or the ranks do not come together: then all know at
 * once, with the reason of the one that failed (rollcall.h). Where NCCL hangs as it gives that up,
 * it is a warning, and marks the communicator as below. */
int kd_nccl_gang_open(struct kd_nccl_gang *gang, struct kd_comm *comm,
                      const struct kd_device *device, struct kd_error *err);
/* Collective; not open is fine. An end that is not clean is a warning, and marks the communicator
 * (leaves_a_thread). */
void kd_nccl_gang_close(struct kd_nccl_gang *gang);

/* Until all is done that the queue was given before its mark, -1: before now; ends the process
 * where that fails. */
void kd_nccl_gang_wait(struct kd_nccl_gang *gang, struct kd_queue *queue, int mark);

#endif
