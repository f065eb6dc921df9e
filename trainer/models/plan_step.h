/* plan_step.h - how a step ends on a device that works behind the host: its last batch's pass (or
 * its only one's) with what makes the batch (feed.h), the sums over the ranks, a look at the
 * gradients, the update, a note of what it came to.
 *
 * All of it comes again with the same pointers, and what changes lies in the device's memory. So
 * where nothing of it is the host's (kd_exchange_is_queued: a rank alone, or sums on the GPUs) it
 * is recorded and replayed as one thing, on a GPU as one CUDA graph: a step is one launch, with the
 * copies of its batch and of its hyperparameters before it and that of the note behind it. The sums
 * are a branch of the graph beside the backward pass, and what nobody waits for is another one
 * (plan_aside.h). A trial of the same shape begins with the recordings of the one before.
 *
 * Elsewhere stretches of the pass are recorded, and the update (plan_update.h), with what the host
 * has to do between them. */
#ifndef KD_TRAINER_PLAN_STEP_H
#define KD_TRAINER_PLAN_STEP_H

#include "kernels/ops.h"
#include "trainer/models/plan.h"

struct kd_pass;

struct kd_step_end {
    const struct kd_batch *batch; /* the step's last one */
    const struct kd_hyper *hyper;
    bool with_norm;               /* it is measured even where nothing is clipped */
    int64_t look_begin, look_end; /* gradients, for the note's is_finite */
};

/* The number of the note (plan.h): with fp16 it has the scale of the step that comes. Not for
 * devices of the host, whose step looks at the note before it updates. */
int64_t kd_plan_end_step(struct kd_plan *plan, const struct kd_step_end *end);

/* ---- for what recordings name */

void kd_pass_forget_ends(struct kd_pass *pass, struct kd_plan *plan);
void kd_plan_forget_steps(struct kd_plan *plan);

#endif
