/* step.c - one optimizer step: its global batch in micro-batches, gradients summed over the ranks,
 * new parameters. */
#include <string.h>

#include "trainer/data/permutation.h"
#include "trainer/models/plan_step.h"
#include "trainer/models/plan_update.h"
#include "trainer/models/profile.h"
#include "trainer/training.h"

static void order_for(struct kd_training *t, int64_t epoch)
{
    if (t->order_epoch == epoch)
        return;
    kd_permutation_fill(t->session->order.items, t->dataset->train.n, t->seed, (uint64_t)epoch);
    t->order_epoch = epoch;
}

/* The global batch of the step that comes: positions [begin, begin + n) in the epoch's order. */
static struct kd_draw next_draw(struct kd_training *t)
{
    int64_t batch = t->config->batch_size;
    int64_t begin = t->state.step % t->state.steps_per_epoch * batch;
    int64_t left = t->dataset->train.n - begin;
    order_for(t, t->state.step / t->state.steps_per_epoch);
    return (struct kd_draw){.part = &t->dataset->train,
                            .order = t->session->order.items,
                            .begin = begin,
                            .n = left < batch ? left : batch,
                            .augment = &t->config->data.augment,
                            .seed = t->seed,
                            .step = t->state.step};
}

/* What a device was given is not done yet, and only a profile wants to wait for it. */
static void end_phase(struct kd_training *t, enum kd_phase phase, int64_t began)
{
    if (t->job->profile)
        kd_plan_wait(t->plan);
    kd_profile_end(t->job->profile, phase, began);
}

static void count(struct kd_report_window *window, const struct kd_batch_result *result,
                  int64_t n_samples)
{
    window->loss_sum += result->loss_sum;
    window->n_correct += (double)result->n_correct;
    window->n_top5 += (double)result->n_top5;
    window->n_seen += (double)result->n_counted;
    window->n_samples += (double)n_samples;
}

/* Number i of the step's micro-batches. */
static void load(struct kd_training *t, struct kd_draw draw, int64_t i, int64_t n_parts,
                 struct kd_batch *batch)
{
    int64_t from, to, began = kd_profile_begin(t->job->profile);
    kd_comm_share_of((int)i, (int)n_parts, draw.n, &from, &to);
    draw.micro_begin = draw.begin + from;
    draw.n_micro = to - from;
    *batch = (struct kd_batch){.follows = i > 0, .precedes = i + 1 < n_parts};
    kd_session_load(t->session, draw, batch);
    end_phase(t, KD_PHASE_DATA, began);
}

/* All micro-batches but the last, which is loaded. */
static void begin_step(struct kd_training *t, struct kd_open_step *step, struct kd_batch *last)
{
    struct kd_draw draw = next_draw(t);
    int64_t n_parts = t->config->accumulate < draw.n ? t->config->accumulate : draw.n;
    *step = (struct kd_open_step){.step = t->state.step + 1};
    for (int64_t i = 0; i < n_parts; i++) {
        load(t, draw, i, n_parts, last);
        step->n_samples += last->n;
        if (last->precedes)
            kd_plan_backward(t->plan, last, NULL);
    }
}

/* What of the probe this rank has the sum of: all, or what lies in its share. */
static void range_of_probe(const struct kd_training *t, int64_t *begin, int64_t *end)
{
    int64_t n = 1;
    kd_plan_state_range(t->plan, begin, end);
    for (int i = 0; i < t->probe.n_dims; i++)
        n *= t->probe.shape[i];
    kd_comm_cut(t->probe.offset, n, begin, end);
    *begin += t->probe.offset;
    *end += t->probe.offset;
}

static void count_step(struct kd_training *t, struct kd_open_step step)
{
    t->open[t->n_open++] = step;
    t->state.step++;
    if (t->job->profile)
        t->job->profile->n_steps++;
}

/* ---- what a step came to */

/* Any sample's non-finite loss makes the gradient of the output layer's bias non-finite, which
 * after the all-reduce is the same on all ranks; where each has the sums of its share alone, they
 * agree on it. Looking at that small tensor finds it in the same step on every rank and costs next
 * to nothing; what it cannot see (an overflow deeper down) shows in the next step, or in the full
 * look at every report. */
static bool all_are_finite(const struct kd_training *t, bool own_is)
{
    struct kd_comm *comm = t->session->comm;
    double n_bad = own_is ? 0 : 1;
    if (comm->size > 1 && (kd_plan_state_is_sharded(t->plan) || kd_plan_scales_loss(t->plan)))
        comm->backend->sum_doubles(comm, &n_bad, 1);
    return n_bad == 0;
}

/* Looks at the oldest open step. */
static bool close_step(struct kd_training *t)
{
    struct kd_open_step step = t->open[0];
    struct kd_noted noted;
    memmove(t->open, t->open + 1, (size_t)--t->n_open * sizeof *t->open);
    kd_plan_noted(t->plan, step.note, &noted);
    count(&t->state.window, &noted.result, step.n_samples);
    if (all_are_finite(t, noted.is_finite))
        return true;
    t->diverged_step = step.step;
    t->n_open = 0;
    return false;
}

static bool settle_to(struct kd_training *t, int n_open)
{
    while (t->n_open > n_open)
        if (!close_step(t))
            return false;
    return true;
}

bool kd_training_settle(struct kd_training *t)
{
    return settle_to(t, 0);
}

/* ---- the whole */

static struct kd_hyper next_hyper(struct kd_training *t)
{
    struct kd_hyper hyper = t->config->hyper;
    hyper.lr *= (float)kd_schedule_factor(t->config->schedule, t->state.step, t->total_steps);
    hyper.step = t->state.updates + 1;
    if (!kd_plan_scales_loss(t->plan)) /* else the device knows how many were left out */
        hyper.step -= t->state.loss_scale_left_out;
    return hyper;
}

static void count_update(struct kd_training *t, const struct kd_hyper *hyper)
{
    t->state.updates++;
    t->lr = hyper->lr;
}

static void update_on_host(struct kd_training *t, const struct kd_hyper *hyper, bool with_norm)
{
    int64_t began = kd_profile_begin(t->job->profile);
    kd_plan_update(t->plan, hyper, with_norm);
    kd_profile_end(t->job->profile, KD_PHASE_OPTIMIZER, began);
}

/* On the CPU there is nothing to be ahead of, and a step that diverges is found before its
 * update. */
static bool step_on_host(struct kd_training *t, bool with_norm)
{
    struct kd_open_step step;
    struct kd_batch last;
    struct kd_hyper hyper = next_hyper(t);
    int64_t begin, end;
    range_of_probe(t, &begin, &end);
    begin_step(t, &step, &last);
    kd_plan_backward(t->plan, &last, NULL);
    kd_plan_finish(t->plan);
    step.note = kd_plan_note(t->plan, begin, end);
    count_step(t, step);
    if (!kd_training_settle(t))
        return false;
    update_on_host(t, &hyper, with_norm);
    count_update(t, &hyper);
    return true;
}

/* Two steps are enough for a device never to wait for the host. */
static bool step_ahead(struct kd_training *t, bool with_norm)
{
    struct kd_open_step step;
    struct kd_batch last;
    struct kd_hyper hyper = next_hyper(t);
    struct kd_step_end ending = {.batch = &last, .hyper = &hyper, .with_norm = with_norm};
    range_of_probe(t, &ending.look_begin, &ending.look_end);
    begin_step(t, &step, &last);
    step.note = kd_plan_end_step(t->plan, &ending);
    count_step(t, step);
    count_update(t, &hyper);
    return settle_to(t, 2);
}

bool kd_training_step(struct kd_training *t, bool with_norm)
{
    return (kd_plan_is_on_host(t->plan) ? step_on_host : step_ahead)(t, with_norm);
}
