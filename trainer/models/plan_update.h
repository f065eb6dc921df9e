/* plan_update.h - what ends a step: from gradients that are summed over the ranks to new
 * parameters.
 *
 *     norm and clipping (when asked for) -> the optimizer over the arena -> parameters to all ranks
 *     (zero) -> the weights' average
 *
 * With `zero` each rank holds the optimizer's state for its own part of the arena only
 * (kd_comm_share of the parameters) and updates that part, and all ranks then gather the parameters
 * (Rajbhandari et al.: "ZeRO", 2020, stage 1). Norms that span ranks are summed in double. Without
 * it all ranks make the same update, to the same bits. */
#ifndef KD_TRAINER_PLAN_UPDATE_H
#define KD_TRAINER_PLAN_UPDATE_H

#include "kernels/ops.h"
#include "trainer/models/plan.h"

struct kd_optimizer;

struct kd_update_options {
    const struct kd_optimizer *optimizer;
    bool zero;     /* only with several ranks; alone it changes nothing */
    bool averages; /* an average of the weights is kept */
};

/* Has the state that this optimizer needs, zeroed, and no other; the average is that of the weights
 * as they are. For each trial, before its weights are set. */
void kd_plan_prepare_update(struct kd_plan *plan, const struct kd_update_options *options);

/* Recorded updates, and ends of steps with them, name the state: they are made anew. */
void kd_plan_forget_updates(struct kd_plan *plan);

/* One step of the optimizer with what kd_plan_finish left in the gradients, which it may overwrite.
 * with_norm: the norm is computed even where nothing is clipped. */
void kd_plan_update(struct kd_plan *plan, const struct kd_hyper *hyper, bool with_norm);

/* Of the whole gradient before clipping, in the last update that computed it. */
double kd_plan_gradient_norm(struct kd_plan *plan);

/* The part of the arena whose state this rank holds: [*begin, *end); all of it without zero. */
void kd_plan_state_range(const struct kd_plan *plan, int64_t *begin, int64_t *end);
bool kd_plan_state_is_sharded(const struct kd_plan *plan);

/* The average of the weights, n_parameters of them, or NULL. Exchanged with the parameters for an
 * evaluation, and back. */
float *kd_plan_average(struct kd_plan *plan);
void kd_plan_swap_average(struct kd_plan *plan);

/* The average begins anew from the weights as they are. */
void kd_plan_restart_average(struct kd_plan *plan);

/* ---- for optimizers */

/* This rank's part of the arenas. */
struct kd_update_arena {
    struct kd_plan *plan;
    float *parameters, *gradients;
    float *state[2];
    const struct kd_range *ranges; /* host memory */
    int n_ranges;
    const struct kd_hyper *hyper;
    const float *scale;
    double *norms; /* [n_ranges][2], device memory */
};

/* An optimizer that is one op with the arguments struct kd_op_update. */
void kd_update_by(const struct kd_update_arena *arena, enum kd_op op);
void kd_update_run(const struct kd_update_arena *arena, struct kd_call call);

/* The norms of tensors that lie on several ranks, summed. */
void kd_update_sum_norms(const struct kd_update_arena *arena);

#endif
