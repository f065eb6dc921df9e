#include "trainer/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"
#include "trainer/models/profile.h"
#include "trainer/settings.h"
#include "trainer/training.h"

enum { REPORTS_KEPT = 4096 };

/* How long a training of no set rhythm goes on between checkpoints, at the end of a unit of reports
 * and within one; and how many times as long as the last checkpoint took, so that saving takes at
 * most one twentieth of the time. */
enum { SAVE_AT_REPORT_US = 1000000, SAVE_BETWEEN_US = 60000000, SAVE_PAUSES = 20 };

const char *kd_outcome_name(enum kd_outcome_kind kind)
{
    static const char *const names[] = {
#define X(constant, name) name,
        KD_OUTCOMES(X)
#undef X
    };
    return names[kind];
}

static void end_with(struct kd_training *t, enum kd_outcome_kind kind)
{
    t->outcome->kind = kind;
    t->over = true;
}

/* ---- time, reports, divergence */

static void run_clock(struct kd_training *t)
{
    t->clock_us = kd_clock_mono_us();
}

static void hold_clock(struct kd_training *t)
{
    t->state.window.seconds += (double)(kd_clock_mono_us() - t->clock_us) * 1e-6;
}

static void send_report(struct kd_training *t, const struct kd_report *report)
{
    if (!t->job->sink)
        return;
    t->job->sink->report(t->job->sink->ud, report);
    json_array_append_new(t->state.reports, kd_report_to_json(report));
    if (json_array_size(t->state.reports) > REPORTS_KEPT)
        json_array_remove(t->state.reports, 0);
}

/* A part of an epoch counts as that epoch, unlike in kd_training_units, which has completed
 * ones. */
static int64_t unit_under_way(const struct kd_training *t)
{
    return t->config->report_steps
               ? t->state.step
               : (t->state.step + t->state.steps_per_epoch - 1) / t->state.steps_per_epoch;
}

/* what: "gradient of layers.2.weight", "train_loss", ... */
static void diverge(struct kd_training *t, int64_t step, const char *what)
{
    kd_fail(&t->outcome->reason,
            "step %lld (epoch %lld): %s is not finite; a smaller learning rate may help",
            (long long)step, (long long)((step - 1) / t->state.steps_per_epoch + 1), what);
    end_with(t, KD_OUTCOME_DIVERGED);
}

static void report_divergence(struct kd_training *t)
{
    struct kd_report report = {.step = unit_under_way(t), .at = kd_clock_real()};
    kd_report_set(&report, KD_METRIC_TRAIN_LOSS, NAN);
    send_report(t, &report);
}

static bool ends_unit(const struct kd_training *t, int64_t step)
{
    int64_t every = t->config->report_steps ? t->config->report_steps : t->state.steps_per_epoch;
    return step % every == 0 || step == t->end_step;
}

static void end_diverged(struct kd_training *t)
{
    const char *what = kd_plan_find_nonfinite(t->plan);
    const char *seen = kd_plan_scales_loss(t->plan)
                           ? "the loss, or its gradient at any scale of fp16,"
                           : "the loss";
    diverge(t, t->diverged_step, what ? what : seen);
    report_divergence(t);
}

static void take_step(struct kd_training *t)
{
    if (!kd_training_step(t, ends_unit(t, t->state.step + 1)))
        end_diverged(t);
}

/* Before anything that is told or kept. False: it has diverged, and is over. */
static bool settle(struct kd_training *t)
{
    if (kd_training_settle(t))
        return true;
    end_diverged(t);
    return false;
}

/* ---- reports */

/* Its name, or NULL. The same on all ranks, as are the losses. */
static const char *nonfinite_loss(const struct kd_report *report)
{
    static const enum kd_metric_kind losses[] = {KD_METRIC_TRAIN_LOSS, KD_METRIC_VAL_LOSS};
    for (size_t i = 0; i < KD_COUNT(losses); i++)
        if (report->has[losses[i]] && !isfinite(report->values[losses[i]]))
            return kd_metrics[losses[i]].name;
    return NULL;
}

static void report(struct kd_training *t)
{
    struct kd_report report = {.step = unit_under_way(t)};
    hold_clock(t);
    kd_training_report_steps(t, &report);
    /* Now, since validation uses the gradients as room for the average. */
    const char *what = kd_plan_find_nonfinite(t->plan);
    kd_training_report_validation(t, &report);
    report.at = kd_clock_real();
    send_report(t, &report);
    kd_training_score(t, &report);
    if (!what)
        what = nonfinite_loss(&report);
    if (what)
        diverge(t, t->state.step, what);
    run_clock(t);
}

/* ---- checkpoints and words */

static bool is_checkpoint_due(const struct kd_training *t)
{
    int64_t every = t->config->checkpoint_steps
                        ? t->config->checkpoint_steps
                        : t->config->checkpoint_epochs * t->state.steps_per_epoch;
    return every > 0 && t->state.step % every == 0;
}

/* Rank 0's clock says when, and a word tells the others, for theirs say something else. */
static void ask_for_checkpoint(struct kd_training *t, bool at_boundary)
{
    int64_t pause = at_boundary ? SAVE_AT_REPORT_US : SAVE_BETWEEN_US;
    if (!t->config->checkpoint_by_time || t->session->comm->rank != 0)
        return;
    if (pause < t->save_took_us * SAVE_PAUSES)
        pause = t->save_took_us * SAVE_PAUSES;
    if (kd_clock_mono_us() - t->saved_us >= pause)
        kd_control_hear(&t->control, KD_WORD_CHECKPOINT);
}

/* A training that cannot be saved goes on: it loses only what it would have to repeat. */
static bool save(struct kd_training *t, struct kd_error *err)
{
    if (t->saved_step == t->state.step)
        return t->unsaved ? kd_fail(err, "no checkpoint could be written") == 0 : true;
    hold_clock(t);
    int64_t began_us = kd_clock_mono_us();
    bool saved = kd_training_save(t, err);
    t->saved_us = kd_clock_mono_us();
    t->save_took_us = t->saved_us - began_us;
    t->unsaved = !saved;
    if (!saved && !t->warned && t->session->comm->rank == 0)
        kd_warn("%s; the training goes on without checkpoints while this lasts", err->text);
    t->warned = t->warned || !saved;
    run_clock(t);
    return saved;
}

/* The gang is given back in any case: a pause must not fail a trial. */
static void yield(struct kd_training *t)
{
    struct kd_error err;
    bool saved = save(t, &err);
    if (!saved)
        kd_fail(&t->outcome->reason,
                "paused without a new checkpoint (%s); it goes on from the one before", err.text);
    else
        kd_fail(&t->outcome->reason, "paused after step %lld, to go on from its checkpoint",
                (long long)t->state.step);
    end_with(t, KD_OUTCOME_YIELDED);
}

static void obey(struct kd_training *t, enum kd_word word)
{
    struct kd_error ignored;
    if (word != KD_WORD_GO && !settle(t))
        return;
    switch (word) {
    case KD_WORD_GO:
        break;
    case KD_WORD_CHECKPOINT:
        save(t, &ignored);
        break;
    case KD_WORD_YIELD:
        yield(t);
        break;
    case KD_WORD_STOP:
        if (t->config->checkpoint_by_time)
            save(t, &ignored);
        kd_fail(&t->outcome->reason, "stopped on request after step %lld",
                (long long)t->state.step);
        end_with(t, KD_OUTCOME_STOPPED);
        break;
    case KD_WORD_EXIT:
        t->outcome->exit = true;
        end_with(t, KD_OUTCOME_DROPPED);
        break;
    case KD_WORD_DROP:
        end_with(t, KD_OUTCOME_DROPPED);
        break;
    }
}

/* ---- the whole */

static void after_step(struct kd_training *t)
{
    struct kd_error ignored;
    bool boundary = ends_unit(t, t->state.step);
    if ((boundary || is_checkpoint_due(t)) && !settle(t))
        return;
    if (boundary)
        report(t);
    if (t->over)
        return;
    if (is_checkpoint_due(t))
        save(t, &ignored);
    ask_for_checkpoint(t, boundary);
    kd_control_listen(&t->control, t->state.step);
    if (t->state.step < t->end_step)
        obey(t, kd_control_agree(&t->control, t->state.step, boundary));
}

static const char *what_ends(const struct kd_training *t)
{
    return t->end_step < t->total_steps ? "until" : t->config->steps ? "steps" : "epochs";
}

/* "3 epochs" */
static char *length_text(const struct kd_training *t)
{
    int64_t units = unit_under_way(t);
    return kd_format("%lld %s%s", (long long)units, t->config->report_steps ? "step" : "epoch",
                     units == 1 ? "" : "s");
}

/* What a person should know who started a training that was at its end already. */
static void say_it_was_over(struct kd_training *t, const char *length)
{
    bool own = t->saved_step >= 0;
    kd_fail(&t->outcome->reason,
            "nothing is left to do: %s was trained %s before; raise %s to go on%s%s",
            own ? t->job->checkpoint_dir : t->job->parent_checkpoint, length, what_ends(t),
            own ? ", or " : "", own ? t->job->anew : "");
}

static void succeed(struct kd_training *t)
{
    struct kd_error ignored;
    char *length = length_text(t);
    if (t->job->anew && t->begin_step >= t->end_step)
        say_it_was_over(t, length);
    else
        kd_fail(&t->outcome->reason, "trained %s", length);
    free(length);
    save(t, &ignored);
    end_with(t, KD_OUTCOME_SUCCEEDED);
}

static void train(struct kd_training *t)
{
    run_clock(t);
    t->saved_us = t->clock_us;
    while (!t->over && t->state.step < t->end_step) {
        take_step(t);
        if (!t->over)
            after_step(t);
    }
    if (!t->over)
        succeed(t);
    t->outcome->units = kd_training_units(t);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void set_lengths(struct kd_training *t)
{
    const struct kd_config *config = t->config;
    int64_t per_epoch = (t->dataset->train.n + config->batch_size - 1) / config->batch_size;
    int64_t per_unit = config->report_steps ? 1 : per_epoch;
    t->state.steps_per_epoch = per_epoch;
    t->total_steps = config->steps ? config->steps : config->epochs * per_epoch;
    t->end_step = t->job->until > 0 && t->job->until < t->total_steps / per_unit + 1
                      ? smaller(t->job->until * per_unit, t->total_steps)
                      : t->total_steps;
}

/* Tensors lie in reverse layer order, so the first one is of the output layer; its smallest sibling
 * is the bias. */
static struct kd_plan_tensor choose_probe(const struct kd_plan *plan)
{
    struct kd_plan_tensor best = kd_plan_tensor_at(plan, 0);
    for (int i = 1; i < kd_plan_n_tensors(plan); i++) {
        struct kd_plan_tensor other = kd_plan_tensor_at(plan, i);
        const char *dot = strrchr(best.name, '.');
        size_t prefix = dot ? (size_t)(dot - best.name) + 1 : 0;
        if (strncmp(best.name, other.name, prefix) == 0 && other.n_dims < best.n_dims)
            best = other;
    }
    return best;
}

static void tell_course(const struct kd_training *t)
{
    const struct kd_sink *sink = t->job->sink;
    struct kd_course course = {.step = &t->state.step,
                               .begin_step = t->state.step,
                               .end_step = t->end_step,
                               .steps_per_epoch = t->state.steps_per_epoch};
    if (t->job->begins)
        t->job->begins();
    if (sink && sink->begin)
        sink->begin(sink->ud, &course);
}

/* On every rank, once one could not prepare: whose fault is it, where it is memory? */
static int fail_by_room(struct kd_training *t, struct kd_error *err)
{
    struct kd_comm *comm = t->session->comm;
    if (kd_comm_any_failed(comm, t->session->room == KD_ROOM_TOO_LITTLE, err))
        t->outcome->kind = KD_OUTCOME_OUT_OF_MEMORY;
    else if (kd_comm_any_failed(comm, t->session->room == KD_ROOM_TAKEN, err))
        t->outcome->kind = KD_OUTCOME_GPU_TAKEN;
    return -1;
}

static int prepare(struct kd_training *t, struct kd_error *err)
{
    struct kd_comm *comm = t->session->comm;
    t->session->room = KD_ROOM_ENOUGH;
    if (kd_session_choose_comm(t->session, t->config->comm, err) < 0 ||
        kd_session_choose_device(t->session, t->config->device, err) < 0 ||
        kd_session_choose_sums(t->session, t->config->comm, err) < 0)
        return fail_by_room(t, err);
    bool failed = kd_session_prepare(t->session, t->config, &t->dataset, err) < 0;
    if (kd_comm_any_failed(comm, failed, err)) {
        kd_session_drop_plan(t->session);
        return fail_by_room(t, err);
    }
    t->plan = t->session->plan;
    if (kd_plan_n_parameters(t->plan) == 0)
        return kd_fail(err, "/model: has nothing to train; it needs a linear layer");
    t->probe = choose_probe(t->plan);
    set_lengths(t);
    if (kd_training_start(t, err) < 0)
        return -1;
    t->begin_step = t->state.step;
    kd_control_init(&t->control, comm, t->job->sink, t->state.step);
    tell_course(t);
    return 0;
}

void kd_train(struct kd_session *session, const struct kd_job *job, struct kd_outcome *outcome)
{
    const struct kd_config *config = job->config;
    uint64_t seed = config->seed >= 0 ? (uint64_t)config->seed : job->seed;
    struct kd_training t = {.session = session,
                            .job = job,
                            .config = config,
                            .seed = seed,
                            .order_epoch = -1,
                            .saved_step = -1,
                            .outcome = outcome};
    t.state = (struct kd_training_state){.seed = seed,
                                         .optimizer = config->optimizer->name,
                                         .n_slots = config->optimizer->n_slots,
                                         .settings = kd_settings_of(config),
                                         .reports = json_array()};
    *outcome = (struct kd_outcome){.kind = KD_OUTCOME_FAILED};
    outcome->refused = prepare(&t, &outcome->reason) < 0;
    if (!outcome->refused) {
        kd_plan_profile(t.plan, job->profile);
        train(&t);
        kd_plan_profile(t.plan, NULL);
    }
    kd_training_state_release(&t.state);
}
