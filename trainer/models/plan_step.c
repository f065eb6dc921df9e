#include "trainer/models/plan_step.h"

#include "coordinator/base/mem.h"
#include "trainer/models/plan_arena.h"
#include "trainer/models/plan_update.h"
#include "trainer/models/profile.h"
#include "trainer/optim/optimizer.h"

/* ---- forgetting */

void kd_pass_forget_ends(struct kd_pass *pass, struct kd_plan *plan)
{
    for (int i = 0; i < 4; i++)
        kd_replay_drop(&pass->ends[i / 2][i % 2], plan->device);
}

void kd_plan_forget_steps(struct kd_plan *plan)
{
    for (int k = 0; k < KD_N_PASSES; k++)
        for (int i = 0; i < KD_PASSES_KEPT; i++)
            kd_pass_forget_ends(&plan->passes[k][i], plan);
}

/* What is looked at is the plan's output layer, and changes only with the rank's share. */
static void see_to_look(struct kd_plan *plan, const struct kd_step_end *end)
{
    if (plan->look_begin == end->look_begin && plan->look_end == end->look_end)
        return;
    kd_plan_forget_steps(plan);
    plan->look_begin = end->look_begin;
    plan->look_end = end->look_end;
}

/* ---- as one */

/* Beside the update, which only reads gradients with most optimizers. */
static void look_aside(struct kd_plan *plan)
{
    struct kd_call look = kd_plan_look_call(plan, plan->look_begin, plan->look_end);
    kd_plan_call_aside(plan, &look);
    if (plan->update.optimizer->spoils_gradients)
        kd_plan_join(plan);
}

static void queue_all(struct kd_plan *plan, struct kd_pass *pass, struct kd_update_kind kind)
{
    kd_pass_run_aside(plan, pass);
    kd_exchange_finish(&plan->exchange);
    look_aside(plan);
    kd_plan_queue_update(plan, kind);
    kd_plan_join(plan);
}

static void end_as_one(struct kd_plan *plan, const struct kd_step_end *end)
{
    struct kd_update_kind kind = kd_update_kind_of(plan, end->hyper, end->with_norm);
    see_to_look(plan, end);
    struct kd_pass *pass = kd_pass_begin(plan, kd_pass_kind_of(end->batch), end->batch);
    struct kd_replay *replay = &pass->ends[kind.scales][kind.measures];
    plan->device->copy_in(plan->queue, &plan->control->hyper, end->hyper, sizeof *end->hyper);
    if (!kd_replay_begin(replay, plan->device, plan->queue))
        return;
    queue_all(plan, pass, kind);
    kd_replay_end(replay, plan->device, plan->queue);
}

/* ---- in parts */

static void update(struct kd_plan *plan, const struct kd_step_end *end)
{
    int64_t began = kd_profile_begin(plan->profile);
    kd_plan_update(plan, end->hyper, end->with_norm);
    if (plan->profile)
        kd_plan_wait(plan);
    kd_profile_end(plan->profile, KD_PHASE_OPTIMIZER, began);
}

static void end_in_parts(struct kd_plan *plan, const struct kd_step_end *end)
{
    kd_plan_backward(plan, end->batch, NULL);
    kd_plan_finish(plan);
    kd_plan_look(plan, end->look_begin, end->look_end);
    update(plan, end);
}

/* A profile wants to know what each part takes. */
int64_t kd_plan_end_step(struct kd_plan *plan, const struct kd_step_end *end)
{
    bool is_one = kd_exchange_is_queued(&plan->exchange) && !plan->profile;
    kd_assert(!end->batch->precedes && plan->own_ranges != NULL);
    (is_one ? end_as_one : end_in_parts)(plan, end);
    return kd_plan_send_note(plan);
}
