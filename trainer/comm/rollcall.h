/* rollcall.h - ranks that wait for each other by some other way than their communicator, and learn
 * by it when one of them has failed: else the others would wait until their deadline.
 *
 *     kd_rollcall_begin(&rollcall, comm);
 *     failed = wait for the others, asking kd_rollcall_is_in_vain(&rollcall) now and then: true ends it;
 *     if (kd_rollcall_end(&rollcall, failed)) ... on every rank, when any has failed
 *
 * Round by round the ranks exchange how they fare, and none waits for a round's end before it has
 * come itself. By the launcher's backend (comm.h); where that cannot (largest NULL), waiting is
 * never in vain. */
#ifndef KD_TRAINER_ROLLCALL_H
#define KD_TRAINER_ROLLCALL_H

#include "trainer/comm/comm.h"

struct kd_rollcall {
    struct kd_comm *comm; /* borrowed */
    int worst; /* what this rank says in the round under way, and the worst of all once that is over */
    bool is_under_way;
    bool is_in_vain; /* another rank has failed */
};

void kd_rollcall_begin(struct kd_rollcall *rollcall, struct kd_comm *comm);

/* Has another rank failed? Costs little; does not wait. */
bool kd_rollcall_is_in_vain(void *rollcall);

/* Collective. has_failed: for a reason of its own, and not because it was in vain. Any? */
bool kd_rollcall_end(struct kd_rollcall *rollcall, bool has_failed);

#endif
