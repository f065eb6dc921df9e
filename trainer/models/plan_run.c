/* plan_run.c - a plan at work: fresh weights, passes over batches, the optimizer's op, the look for
 * NaNs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "kernels/flops.h"
#include "trainer/models/plan_arena.h"
#include "trainer/models/plan_update.h"
#include "trainer/models/profile.h"

/* Initial weights are keyed by layer like dropout masks, but by other keys. */
#define INIT_KEY (UINT64_C(1) << 32)

/* ---- fresh weights */

static void reset_parameter(struct kd_plan *plan, const struct kd_node *node, int p, uint64_t seed)
{
    const struct kd_parameter *parameter = &node->parameters[p];
    float *x = plan->parameters + parameter->offset;
    int64_t n = kd_shape_count(parameter->shape);
    if (parameter->tied_node)
        return;
    if (parameter->bound == 0.0f)
        kd_plan_call(plan, KD_CALL(fill, .x = x, .n = n, .value = parameter->start));
    else
        kd_plan_call(plan, KD_CALL(init_uniform, .x = x, .n = n, .bound = parameter->bound,
                                   .seed = kd_hash2(seed, INIT_KEY | (uint64_t)node->index),
                                   .stream = (uint64_t)p));
}

static void reset_node(struct kd_plan *plan, const struct kd_node *node, uint64_t seed)
{
    for (int p = 0; p < node->n_parameters; p++)
        reset_parameter(plan, node, p, seed);
    for (int s = 0; s < node->n_statistics; s++)
        kd_plan_call(plan, KD_CALL(fill, .x = plan->statistics + node->statistics[s].offset,
                                   .n = node->statistics[s].n, .value = node->statistics[s].start));
}

void kd_plan_reset(struct kd_plan *plan, uint64_t seed)
{
    for (int i = 0; i < plan->model.n_nodes; i++)
        reset_node(plan, &plan->model.nodes[i], seed);
    kd_plan_call(plan, KD_CALL(fill, .x = plan->gradients, .n = plan->n_parameters));
    kd_plan_set_loss_scale(
        plan, (struct kd_loss_scale){.scale = plan->scales_loss ? KD_LOSS_SCALE_FIRST : 1});
    if (plan->own_ranges)
        kd_plan_prepare_update(plan, &(struct kd_update_options){plan->update.optimizer,
                                                                 plan->update.zero,
                                                                 plan->update.averages});
    kd_exchange_wait(&plan->exchange);
}

/* ---- passes */

/* Where the optimizer's state is spread, a rank updates its own share and needs no other
 * gradients. */
static void start_sum(struct kd_plan *plan, int64_t at, int64_t n)
{
    kd_exchange_start_sum(&plan->exchange,
                          (struct kd_stretch){.all = plan->gradients,
                                              .n_all = plan->n_parameters,
                                              .at = at,
                                              .n = n,
                                              .of_shares = kd_plan_state_is_sharded(plan)});
}

void kd_pass_run_step(struct kd_plan *plan, const struct kd_step *step)
{
    switch (step->kind) {
    case KD_STEP_CALL:
        kd_call_run(&step->call, plan->device->ops, plan->queue);
        break;
    case KD_STEP_SUM_DOUBLES:
        kd_exchange_sum_doubles(&plan->exchange, step->doubles, step->n);
        break;
    case KD_STEP_START_SUM:
        start_sum(plan, step->at, step->n);
        break;
    }
}

/* Sums of gradients go on beyond the pass: only who records their end too can record them
 * (plan_step.c). */
static bool is_of_stretch(const struct kd_plan *plan, const struct kd_step *step)
{
    return step->kind == KD_STEP_CALL ||
           (step->kind == KD_STEP_SUM_DOUBLES && kd_exchange_is_queued(&plan->exchange));
}

static size_t end_of_stretch(const struct kd_plan *plan, const struct kd_pass *pass, size_t i)
{
    while (i < pass->steps.n && is_of_stretch(plan, &pass->steps.items[i]))
        i++;
    return i;
}

static void run_stretch(struct kd_plan *plan, struct kd_pass *pass, size_t begin, size_t end)
{
    struct kd_replay *replay = &pass->steps.items[begin].replay;
    if (!kd_replay_begin(replay, plan->device, plan->queue))
        return;
    for (size_t i = begin; i < end; i++) {
        kd_pass_run_step(plan, &pass->steps.items[i]);
        kd_exchange_progress(&plan->exchange);
    }
    kd_replay_end(replay, plan->device, plan->queue);
}

/* Stretches that the device may keep, and what the ranks do between them. */
static void run_steps(struct kd_plan *plan, struct kd_pass *pass)
{
    for (size_t i = 0, end; i < pass->steps.n; i = end) {
        end = end_of_stretch(plan, pass, i);
        if (end > i) {
            run_stretch(plan, pass, i, end);
        } else {
            kd_pass_run_step(plan, &pass->steps.items[i]);
            kd_exchange_progress(&plan->exchange);
            end = i + 1;
        }
    }
}

static void run_steps_timed(struct kd_plan *plan, struct kd_pass *pass)
{
    int64_t before = kd_clock_mono_ns();
    for (size_t i = 0; i < pass->steps.n; i++) {
        kd_pass_run_step(plan, &pass->steps.items[i]);
        kd_exchange_wait(&plan->exchange);
        int64_t now = kd_clock_mono_ns();
        kd_profile_add_step(plan->profile, plan, pass, i, now - before);
        before = now;
    }
}

static struct kd_batch_result result_of(const struct kd_loss_sums *sums)
{
    return (struct kd_batch_result){.loss_sum = sums->loss,
                                    .n_correct = sums->n_correct,
                                    .n_top5 = sums->n_top5,
                                    .n_counted = sums->n_counted};
}

static void read_sums(struct kd_plan *plan, struct kd_batch_result *result)
{
    struct kd_loss_sums sums;
    kd_plan_fetch(plan, &sums, &plan->control->note.sums, sizeof sums);
    *result = result_of(&sums);
}

struct kd_pass *kd_pass_begin(struct kd_plan *plan, enum kd_pass_kind kind,
                              const struct kd_batch *batch)
{
    kd_assert(batch->n >= 0 && batch->n <= plan->max_batch);
    struct kd_turn turn = {.seed = batch->seed,
                           .step = batch->step,
                           .n_global = batch->n_global,
                           .n_counted = batch->n_counted,
                           .mix = batch->mix};
    if (!batch->turn)
        plan->device->copy_in(plan->queue, &plan->control->turn, &turn, sizeof turn);
    return kd_pass_for(plan, kind, batch);
}

void kd_pass_run(struct kd_plan *plan, struct kd_pass *pass)
{
    (plan->profile ? run_steps_timed : run_steps)(plan, pass);
}

static void run_pass(struct kd_plan *plan, enum kd_pass_kind kind, const struct kd_batch *batch,
                     struct kd_batch_result *result)
{
    kd_pass_run(plan, kd_pass_begin(plan, kind, batch));
    if (result)
        read_sums(plan, result);
}

enum kd_pass_kind kd_pass_kind_of(const struct kd_batch *batch)
{
    static const enum kd_pass_kind kinds[2][2] = {{KD_PASS_ONLY, KD_PASS_FIRST},
                                                  {KD_PASS_LAST, KD_PASS_MIDDLE}};
    return kinds[batch->follows][batch->precedes];
}

void kd_plan_backward(struct kd_plan *plan, const struct kd_batch *batch,
                      struct kd_batch_result *result)
{
    run_pass(plan, kd_pass_kind_of(batch), batch, result);
}

void kd_plan_finish(struct kd_plan *plan)
{
    int64_t began = kd_profile_begin(plan->profile);
    kd_exchange_finish(&plan->exchange);
    if (plan->profile)
        kd_exchange_wait(&plan->exchange);
    kd_profile_end(plan->profile, KD_PHASE_ALLREDUCE, began);
}

/* ---- marks and notes: after the exchange's own */

void kd_plan_mark(struct kd_plan *plan, int i)
{
    plan->device->mark(plan->queue, KD_EXCHANGE_MARKS + KD_NOTES + i);
}

void kd_plan_is_waited_for(struct kd_plan *plan, struct kd_queue *by, int i)
{
    plan->device->wait_for(by, plan->queue, KD_EXCHANGE_MARKS + KD_NOTES + i);
}

void kd_plan_wait(struct kd_plan *plan)
{
    kd_exchange_wait(&plan->exchange);
}

void kd_plan_wait_mark(struct kd_plan *plan, int i)
{
    kd_exchange_wait_mark(&plan->exchange, KD_EXCHANGE_MARKS + KD_NOTES + i);
}

_Static_assert(KD_EXCHANGE_MARKS + KD_NOTES + KD_PLAN_MARKS <= KD_ASIDE_MARK, "each its own marks");

static int mark_of(int64_t note)
{
    return KD_EXCHANGE_MARKS + (int)(note % KD_NOTES);
}

struct kd_call kd_plan_look_call(struct kd_plan *plan, int64_t begin, int64_t end)
{
    return KD_CALL(find_nonfinite, .x = plan->gradients + begin, .n = end - begin,
                   .at = &plan->control->note.nonfinite_at);
}

void kd_plan_look(struct kd_plan *plan, int64_t begin, int64_t end)
{
    kd_plan_call(plan, kd_plan_look_call(plan, begin, end));
}

int64_t kd_plan_send_note(struct kd_plan *plan)
{
    int64_t number = plan->n_notes++;
    plan->device->copy_out(plan->queue, &plan->notes[number % KD_NOTES], &plan->control->note,
                           sizeof *plan->notes);
    plan->device->mark(plan->queue, mark_of(number));
    return number;
}

int64_t kd_plan_note(struct kd_plan *plan, int64_t begin, int64_t end)
{
    kd_plan_look(plan, begin, end);
    return kd_plan_send_note(plan);
}

/* Gradients that overflow are the scale's to mend, as long as it can. */
static bool can_go_on(const struct kd_note *note)
{
    return isfinite(note->sums.loss) && note->loss_scale.n_good >= 0;
}

void kd_plan_noted(struct kd_plan *plan, int64_t number, struct kd_noted *noted)
{
    kd_assert(number < plan->n_notes && number >= plan->n_notes - KD_NOTES);
    kd_exchange_wait_mark(&plan->exchange, mark_of(number));
    const struct kd_note *note = &plan->notes[number % KD_NOTES];
    *noted = (struct kd_noted){.result = result_of(&note->sums),
                               .is_finite =
                                   plan->scales_loss ? can_go_on(note) : note->nonfinite_at < 0};
}

void kd_plan_evaluate(struct kd_plan *plan, const struct kd_batch *batch,
                      struct kd_batch_result *result)
{
    run_pass(plan, KD_PASS_EVALUATE, batch, result);
}

void kd_plan_profile(struct kd_plan *plan, struct kd_profile *profile)
{
    plan->profile = profile;
}

double kd_plan_flops(struct kd_plan *plan, int64_t n)
{
    struct kd_pass pass = {.kind = KD_PASS_ONLY};
    struct kd_batch batch = {.n = n};
    kd_pass_make(&pass, plan, &batch);
    double sum = 0;
    for (size_t i = 0; i < pass.steps.n; i++)
        if (pass.steps.items[i].kind == KD_STEP_CALL)
            sum += kd_call_flops(&pass.steps.items[i].call);
    kd_pass_release(&pass, plan);
    return sum;
}

double kd_plan_peak_flops(struct kd_plan *plan)
{
    return kd_device_peak_flops(plan->device, plan->queue);
}

int kd_plan_n_ranks(const struct kd_plan *plan)
{
    return plan->comm ? plan->comm->size : 1;
}

/* ---- NaN and infinity */

static int tensor_of(const struct kd_plan *plan, int64_t offset)
{
    int i = plan->n_tensors - 1;
    while (plan->tensors[i].offset > offset)
        i--;
    return i;
}

/* The first one in [begin, end) of the arena, or -1. */
static int64_t find_between(struct kd_plan *plan, const float *arena, int64_t begin, int64_t end)
{
    int64_t at;
    kd_plan_call(plan, KD_CALL(find_nonfinite, .x = arena + begin, .n = end - begin,
                               .at = &plan->control->nonfinite_at));
    kd_plan_fetch(plan, &at, &plan->control->nonfinite_at, sizeof at);
    return at < 0 ? -1 : begin + at;
}

static int64_t find_in_share(struct kd_plan *plan, const float *arena)
{
    int64_t begin, end;
    kd_plan_state_range(plan, &begin, &end);
    return find_between(plan, arena, begin, end);
}

/* The first one of all ranks' shares, which are in the order of the ranks. */
static int64_t find_first(struct kd_plan *plan, const float *arena)
{
    int64_t at = find_in_share(plan, arena);
    if (!kd_plan_state_is_sharded(plan))
        return at;
    double *found = KD_NEW_ARRAY(double, (size_t)plan->comm->size);
    found[plan->comm->rank] = (double)(at + 1);
    plan->comm->backend->sum_doubles(plan->comm, found, plan->comm->size);
    at = -1;
    for (int rank = 0; rank < plan->comm->size && at < 0; rank++)
        at = (int64_t)found[rank] - 1;
    free(found);
    return at;
}

static const char *find_in(struct kd_plan *plan, const float *arena, const char *what)
{
    int64_t at = find_first(plan, arena);
    if (at < 0)
        return NULL;
    int tensor = tensor_of(plan, at);
    free(plan->nonfinite);
    plan->nonfinite = kd_format("%s of %s (%s)", what, plan->tensors[tensor].name,
                                plan->model.nodes[plan->tensor_nodes[tensor]].layer->name);
    return plan->nonfinite;
}

const char *kd_plan_find_nonfinite(struct kd_plan *plan)
{
    const char *found = plan->scales_loss ? NULL : find_in(plan, plan->gradients, "gradient");
    return found ? found : find_in(plan, plan->parameters, "parameter");
}
