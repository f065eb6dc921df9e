/* plan_update.h - what an optimizer does to a plan: one op over its arenas. */
#ifndef KD_TRAINER_PLAN_UPDATE_H
#define KD_TRAINER_PLAN_UPDATE_H

#include "kernels/ops.h"
#include "trainer/models/plan.h"

/* Runs an op whose arguments are struct kd_op_update (KD_OP_sgd, KD_OP_adamw, ...) over all parameters, with n_slots of
 * state; tensors of one dimension are not decayed. */
void kd_plan_update(struct kd_plan *plan, enum kd_op op, int n_slots, const struct kd_hyper *hyper);

#endif
