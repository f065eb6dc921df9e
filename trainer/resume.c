/* resume.c - how a trial starts and how it is saved: fresh weights, its own checkpoint, or another trial's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "trainer/models/plan_update.h"
#include "trainer/training.h"

static bool has_checkpoints(const struct kd_training *t)
{
    return t->job->checkpoint_dir && t->job->checkpoint_dir[0];
}

int64_t kd_training_units(const struct kd_training *t)
{
    return t->config->report_steps ? t->state.step : t->state.step / t->state.steps_per_epoch;
}

/* ---- starting */

/* 1: found, 0: not there, -1: err. */
static int open_parent(const char *path, struct kd_safetensors *file, struct kd_error *err)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return kd_fail_errno(err, "%s: cannot open the parent's checkpoint", path);
    if (!S_ISDIR(info.st_mode))
        return kd_safetensors_read(path, file, err) == 0 ? 1 : -1;
    int found = kd_checkpoint_open_newest(path, file, err);
    return found != 0 ? found
                      : kd_fail(err, "%s: there is no sound checkpoint of the parent", path);
}

/* An epoch may have another number of steps now (batch size, data): whole epochs are kept, in the new count. */
static void fit_to_epochs(struct kd_training_state *state, int64_t steps_per_epoch)
{
    if (state->steps_per_epoch == steps_per_epoch)
        return;
    state->step = state->step / state->steps_per_epoch * steps_per_epoch;
    state->steps_per_epoch = steps_per_epoch;
    state->window = (struct kd_report_window){0};
}

static int restore(struct kd_training *t, const struct kd_safetensors *file, bool own,
                   struct kd_error *err)
{
    struct kd_training_state state = t->state;
    state.reports = NULL;
    if (kd_checkpoint_restore(file, t->plan, &state, err) < 0)
        return kd_error_prefix(err, "%s: the checkpoint does not fit",
                               own ? t->job->checkpoint_dir : t->job->parent_checkpoint);
    fit_to_epochs(&state, t->state.steps_per_epoch);
    state.seed = t->seed;
    if (!own) { /* the parent's reports are the parent's */
        json_decref(state.reports);
        state.reports = json_array();
        state.window = (struct kd_report_window){0};
    }
    json_decref(t->state.reports);
    t->state = state;
    t->saved_step = own ? state.step : -1;
    t->restored = true;
    return 0;
}

/* The coordinator knows metrics again by (name, step), so all of them are sent once more: what was not acknowledged when
 * the last attempt died is in the checkpoint. */
static void send_reports_again(const struct kd_training *t)
{
    const json_t *json;
    size_t i;
    json_array_foreach(t->state.reports, i, json)
    {
        struct kd_report report;
        if (t->job->sink && kd_report_from_json(json, &report) == 0)
            t->job->sink->report(t->job->sink->ud, &report);
    }
}

static int start_on_rank_0(struct kd_training *t, struct kd_error *err)
{
    struct kd_safetensors file = {0};
    int found = 0;
    bool own = has_checkpoints(t) && t->job->resume;
    if (own)
        found = kd_checkpoint_open_newest(t->job->checkpoint_dir, &file, err);
    else if (has_checkpoints(t))
        kd_checkpoint_clear(t->job->checkpoint_dir);
    if (found == 0 && t->job->parent_checkpoint) {
        own = false;
        found = open_parent(t->job->parent_checkpoint, &file, err);
    }
    int status = found < 0 ? -1 : 0;
    if (found > 0)
        status = restore(t, &file, own, err);
    kd_safetensors_release(&file);
    if (status == 0)
        send_reports_again(t);
    return status;
}

static void broadcast_start(struct kd_training *t)
{
    struct kd_comm *comm = t->session->comm;
    int64_t n = kd_plan_n_parameters(t->plan) * (int64_t)sizeof(float);
    int64_t message[3] = {t->state.step, t->saved_step, t->restored};
    comm->backend->broadcast(comm, 0, message, sizeof message);
    t->state.step = message[0];
    t->saved_step = message[1];
    if (!message[2]) /* fresh weights are the same everywhere */
        return;
    comm->backend->broadcast(comm, 0, kd_plan_parameters(t->plan), n);
    for (int slot = 0; slot < t->config->optimizer->n_slots; slot++)
        comm->backend->broadcast(comm, 0, kd_plan_state(t->plan, slot), n);
}

int kd_training_start(struct kd_training *t, struct kd_error *err)
{
    struct kd_comm *comm = t->session->comm;
    kd_plan_prepare_update(t->plan, &(struct kd_update_options){.optimizer = t->config->optimizer,
                                                                .zero = t->config->zero,
                                                                .averages = t->config->averages});
    kd_plan_reset(t->plan, t->seed);
    bool failed = comm->rank == 0 && start_on_rank_0(t, err) < 0;
    if (kd_comm_any_failed(comm, failed, err))
        return -1;
    broadcast_start(t);
    return 0;
}

/* ---- saving */

/* The sums since the last report go to rank 0, which writes them. */
static void collect_window(struct kd_training *t)
{
    struct kd_comm *comm = t->session->comm;
    struct kd_report_window *window = &t->state.window;
    double sums[5] = {window->loss_sum, window->n_correct, window->n_top5, window->n_seen,
                      window->n_samples};
    comm->backend->sum_doubles(comm, sums, 5);
    double mine = comm->rank == 0 ? 1 : 0;
    window->loss_sum = sums[0] * mine;
    window->n_correct = sums[1] * mine;
    window->n_top5 = sums[2] * mine;
    window->n_seen = sums[3] * mine;
    window->n_samples = sums[4] * mine;
}

bool kd_training_save(struct kd_training *t, struct kd_error *err)
{
    if (!has_checkpoints(t))
        return true;
    collect_window(t);
    t->saved_step = t->state.step;
    if (t->session->comm->rank != 0)
        return true;
    struct kd_checkpoint_file file;
    if (kd_checkpoint_save(t->job->checkpoint_dir, t->plan, &t->state, t->config->checkpoint_keep,
                           &file, err) < 0)
        return false;
    if (t->job->sink && t->job->sink->saved)
        t->job->sink->saved(t->job->sink->ud, kd_training_units(t), file.path, file.bytes,
                            file.digest);
    return true;
}
