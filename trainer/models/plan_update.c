#include "trainer/models/plan_update.h"

#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "trainer/models/plan_arena.h"
#include "trainer/models/plan_step.h"
#include "trainer/optim/optimizer.h"

/* ---- what is there */

bool kd_plan_state_is_sharded(const struct kd_plan *plan)
{
    return plan->update.zero && kd_plan_has_ranks(plan);
}

void kd_plan_state_range(const struct kd_plan *plan, int64_t *begin, int64_t *end)
{
    *begin = 0;
    *end = plan->n_parameters;
    if (kd_plan_state_is_sharded(plan))
        kd_comm_share(plan->comm, plan->n_parameters, begin, end);
}

/* The plan's ranges, cut to this rank's part; those outside it are empty, so that each tensor keeps
 * its number. */
static void cut_ranges(struct kd_plan *plan)
{
    int64_t begin, end, at = 0;
    kd_plan_state_range(plan, &begin, &end);
    free(plan->own_ranges);
    plan->own_ranges = KD_NEW_ARRAY(struct kd_range, (size_t)plan->n_tensors + 1);
    for (int t = 0; t < plan->n_tensors; t++) {
        int64_t from = at > begin ? at : begin, to = at + plan->ranges[t].n;
        at = to;
        to = to < end ? to : end;
        plan->own_ranges[t] = plan->ranges[t];
        plan->own_ranges[t].n = to > from ? to - from : 0;
    }
}

void kd_plan_forget_updates(struct kd_plan *plan)
{
    for (int i = 0; i < 4; i++)
        kd_replay_drop(&plan->updates[i / 2][i % 2], plan->device);
    kd_plan_forget_steps(plan);
}

static void free_state(struct kd_plan *plan)
{
    kd_plan_forget_updates(plan);
    for (int i = 0; i < KD_PLAN_SLOTS; i++) {
        plan->device->free(plan->state[i]);
        plan->state[i] = NULL;
    }
    plan->device->free(plan->average);
    plan->average = NULL;
}

static void clear_state(struct kd_plan *plan)
{
    int64_t begin, end;
    kd_plan_state_range(plan, &begin, &end);
    for (int i = 0; i < plan->update.optimizer->n_slots; i++)
        kd_plan_call(plan, KD_CALL(fill, .x = kd_plan_state(plan, i), .n = end - begin));
}

static bool is_same(const struct kd_update_options *a, const struct kd_update_options *b)
{
    return a->optimizer == b->optimizer && a->zero == b->zero && a->averages == b->averages;
}

void kd_plan_prepare_update(struct kd_plan *plan, const struct kd_update_options *options)
{
    if (!is_same(&plan->update, options) || !plan->own_ranges) {
        free_state(plan);
        plan->update = *options;
        cut_ranges(plan);
    }
    if (!plan->norms)
        plan->norms = plan->device->alloc(2 * ((size_t)plan->n_tensors + 1) * sizeof *plan->norms);
    if (options->averages && !plan->average)
        plan->average = plan->device->alloc((size_t)plan->n_parameters * sizeof(float));
    clear_state(plan);
    kd_plan_restart_average(plan);
}

float *kd_plan_average(struct kd_plan *plan)
{
    return plan->average;
}

void kd_plan_restart_average(struct kd_plan *plan)
{
    if (plan->average)
        kd_plan_call(plan, KD_CALL(copy, .x = plan->parameters, .y = plan->average,
                                   .n = plan->n_parameters));
}

/* By way of the gradients, which nobody needs between two steps. */
void kd_plan_swap_average(struct kd_plan *plan)
{
    float *const from[] = {plan->parameters, plan->average, plan->gradients};
    float *const to[] = {plan->gradients, plan->parameters, plan->average};
    for (int i = 0; plan->average && i < 3; i++)
        kd_plan_call(plan, KD_CALL(copy, .x = from[i], .y = to[i], .n = plan->n_parameters));
}

/* ---- the step */

static struct kd_update_arena own_part(struct kd_plan *plan, bool measured)
{
    int64_t begin, end;
    kd_plan_state_range(plan, &begin, &end);
    struct kd_update_arena arena = {
        .plan = plan,
        .parameters = plan->parameters + begin,
        .gradients = plan->gradients + begin,
        .ranges = plan->own_ranges,
        .n_ranges = plan->n_tensors,
        .hyper = &plan->control->hyper,
        .scale = measured ? &plan->control->gradient_scale : NULL,
        .norms = plan->norms,
    };
    for (int i = 0; i < plan->update.optimizer->n_slots; i++)
        arena.state[i] = kd_plan_state(plan, i);
    return arena;
}

static void measure(struct kd_plan *plan)
{
    struct kd_control *control = plan->control;
    int64_t begin, end;
    kd_plan_state_range(plan, &begin, &end);
    kd_plan_call(plan, KD_CALL(sum_squares, .x = plan->gradients + begin, .n = end - begin,
                               .sum = &control->sum_squares));
    if (kd_plan_state_is_sharded(plan))
        kd_exchange_sum_doubles(&plan->exchange, &control->sum_squares, 1);
    if (plan->scales_loss)
        kd_plan_call(plan,
                     KD_CALL(unscale, .sum_squares = &control->sum_squares,
                             .loss = &control->note.loss_scale, .scale = &control->gradient_scale,
                             .norm = &control->gradient_norm, .hyper = &control->hyper));
    else
        kd_plan_call(plan, KD_CALL(clip, .sum_squares = &control->sum_squares,
                                   .scale = &control->gradient_scale,
                                   .norm = &control->gradient_norm, .hyper = &control->hyper));
}

void kd_plan_queue_update(struct kd_plan *plan, struct kd_update_kind kind)
{
    if (kind.measures)
        measure(plan);
    struct kd_update_arena arena = own_part(plan, kind.scales);
    plan->update.optimizer->step(&arena);
    if (kd_plan_state_is_sharded(plan))
        kd_exchange_gather(&plan->exchange, plan->parameters, plan->n_parameters);
    if (plan->average)
        kd_plan_call(plan, KD_CALL(average, .x = plan->parameters, .average = plan->average,
                                   .n = plan->n_parameters, .hyper = &plan->control->hyper,
                                   .scale = arena.scale));
}

struct kd_update_kind kd_update_kind_of(const struct kd_plan *plan, const struct kd_hyper *hyper,
                                        bool with_norm)
{
    bool scales = hyper->clip > 0 || plan->scales_loss;
    return (struct kd_update_kind){.scales = scales, .measures = scales || with_norm};
}

/* Ranks that have parts of the state each may have things to do for the host. */
static bool can_be_recorded(const struct kd_plan *plan)
{
    return !kd_plan_state_is_sharded(plan) || kd_exchange_is_queued(&plan->exchange);
}

void kd_plan_update(struct kd_plan *plan, const struct kd_hyper *hyper, bool with_norm)
{
    struct kd_update_kind kind = kd_update_kind_of(plan, hyper, with_norm);
    struct kd_replay *replay = &plan->updates[kind.scales][kind.measures];
    kd_assert(plan->own_ranges != NULL);
    plan->device->copy_in(plan->queue, &plan->control->hyper, hyper, sizeof *hyper);
    if (!can_be_recorded(plan)) {
        kd_plan_queue_update(plan, kind);
    } else if (kd_replay_begin(replay, plan->device, plan->queue)) {
        kd_plan_queue_update(plan, kind);
        kd_replay_end(replay, plan->device, plan->queue);
    }
}

double kd_plan_gradient_norm(struct kd_plan *plan)
{
    float norm;
    kd_plan_fetch(plan, &norm, &plan->control->gradient_norm, sizeof norm);
    return norm;
}

/* ---- for optimizers */

void kd_update_run(const struct kd_update_arena *arena, struct kd_call call)
{
    kd_plan_call(arena->plan, call);
}

void kd_update_by(const struct kd_update_arena *arena, enum kd_op op)
{
    struct kd_op_update update = {.parameters = arena->parameters,
                                  .gradients = arena->gradients,
                                  .state = {arena->state[0], arena->state[1]},
                                  .ranges = arena->ranges,
                                  .n_ranges = arena->n_ranges,
                                  .hyper = arena->hyper,
                                  .scale = arena->scale};
    kd_plan_call(arena->plan, (struct kd_call){.op = op, .args.sgd = update});
}

void kd_update_sum_norms(const struct kd_update_arena *arena)
{
    struct kd_plan *plan = arena->plan;
    if (kd_plan_state_is_sharded(plan))
        kd_exchange_sum_doubles(&plan->exchange, arena->norms, 2 * (int64_t)arena->n_ranges);
}
