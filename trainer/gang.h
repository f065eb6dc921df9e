/* gang.h - `katydid-trainer --gang`: serves trial after trial for a coordinator, over the bus.
 *
 * Rank 0 talks to the coordinator; the other ranks wait asleep for what it passes on. The process,
 * MPI, the data sets and the compiled plan outlive a trial; a trial's failure is a message, not the
 * end of the gang; where a GPU can be trusted no more, or is out of memory in the midst of work,
 * the process ends (kernels/cuda/memory.h), and the other ranks with it. */
#ifndef KD_TRAINER_GANG_H
#define KD_TRAINER_GANG_H

#include "trainer/comm/comm.h"

/* Until EXIT, or until the coordinator has been silent for KATYDID_ORPHAN_GRACE seconds (3600). -1:
 * cannot begin. */
int kd_gang_serve(struct kd_comm *comm, struct kd_error *err);

#endif
