/* resume.c - how a trial starts and how it is saved: fresh weights, its own checkpoint, or another
 * trial's. */
#include <inttypes.h>
#include <math.h>
#include <sys/stat.h>

#include "coordinator/base/log.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/models/plan_update.h"
#include "trainer/settings.h"
#include "trainer/training.h"

static bool has_checkpoints(const struct kd_training *t)
{
    return t->job->checkpoint_dir && t->job->checkpoint_dir[0];
}

int64_t kd_training_units(const struct kd_training *t)
{
    return t->config->report_steps ? t->state.step : t->state.step / t->state.steps_per_epoch;
}

static struct kd_checkpoint_place own_place(const struct kd_training *t)
{
    return (struct kd_checkpoint_place){.folder = t->job->checkpoint_dir, .comm = t->session->comm};
}

/* ---- starting */

/* What kind of thing the parent's path is, as rank 0 sees it. 1: a folder, 0: a file; -1: err, on
 * every rank. */
static int look_at_parent(const struct kd_training *t, struct kd_error *err)
{
    struct kd_comm *comm = t->session->comm;
    struct stat info = {0};
    const char *path = t->job->parent_checkpoint;
    bool failed = comm->rank == 0 && stat(path, &info) < 0;
    if (failed)
        kd_fail_errno(err, "%s: cannot open the parent's checkpoint", path);
    if (kd_comm_any_failed(comm, failed, err))
        return -1;
    int64_t is_folder = S_ISDIR(info.st_mode);
    comm->backend->broadcast(comm, 0, &is_folder, sizeof is_folder);
    return (int)is_folder;
}

/* 1: found, -1: err. */
static int open_parent(const struct kd_training *t, struct kd_checkpoint *checkpoint,
                       struct kd_error *err)
{
    const struct kd_checkpoint_place place = {.folder = t->job->parent_checkpoint,
                                              .comm = t->session->comm};
    int is_folder = look_at_parent(t, err);
    if (is_folder < 0)
        return -1;
    if (!is_folder)
        return kd_checkpoint_open(&place, place.folder, checkpoint, err) == 0 ? 1 : -1;
    int found = kd_checkpoint_open_newest(&place, checkpoint, err);
    return found != 0
               ? found
               : kd_fail(err, "%s: there is no sound checkpoint of the parent", place.folder);
}

/* 1: found, 0: fresh weights, -1: err. *own: it is this trial's. */
static int open_start(const struct kd_training *t, struct kd_checkpoint *checkpoint, bool *own,
                      struct kd_error *err)
{
    struct kd_checkpoint_place place = own_place(t);
    int found = 0;
    *own = has_checkpoints(t) && t->job->resume;
    if (*own)
        found = kd_checkpoint_open_newest(&place, checkpoint, err);
    if (found == 0 && t->job->parent_checkpoint) {
        *own = false;
        found = open_parent(t, checkpoint, err);
    }
    /* Only now: a parent that is not there must not cost what is. */
    if (found >= 0 && has_checkpoints(t) && !t->job->resume && place.comm->rank == 0)
        kd_checkpoint_clear(place.folder);
    return found;
}

/* An epoch may have another number of steps now (batch size, data). Progress is kept in the unit
 * that is reported, which is also the coordinator's: whole epochs in the new count, or steps as
 * they are. */
static void fit_to_epochs(struct kd_training_state *state, int64_t steps_per_epoch, bool in_steps)
{
    if (state->steps_per_epoch == steps_per_epoch)
        return;
    if (!in_steps)
        state->step = state->step / state->steps_per_epoch * steps_per_epoch;
    state->steps_per_epoch = steps_per_epoch;
    state->window = (struct kd_report_window){0};
}

/* The parent's reports, and which of its checkpoints stay, are the parent's. */
static void leave_to_parent(struct kd_training_state *state)
{
    json_decref(state->reports);
    state->reports = json_array();
    state->window = (struct kd_report_window){0};
    kd_arr_clear(&state->kept);
}

/* What is gone on from must be the same training; other steps from now on are the user's choice,
 * and said. */
static int compare_settings(const struct kd_training *t, const struct kd_training_state *there,
                            struct kd_error *err)
{
    struct kd_str other = {0}, changed = {0};
    int status = 0;
    kd_settings_compare(there->settings, t->state.settings, t->config, &other, &changed);
    if (there->seed != t->seed)
        kd_str_addf(&other, "%sseed: %" PRIu64 " -> %" PRIu64, other.length ? "\n" : "",
                    there->seed, t->seed);
    if (other.length)
        status = kd_fail(err,
                         "%s: the checkpoint there is of another training. What changed:\n%s\n"
                         "Go on with what it was, or %s.",
                         t->job->checkpoint_dir, kd_str_text(&other), t->job->anew);
    else if (changed.length)
        kd_warn("%s: the training there goes on with other settings. What changed:\n%s\nFor a new "
                "training %s.",
                t->job->checkpoint_dir, kd_str_text(&changed), t->job->anew);
    kd_str_release(&other);
    kd_str_release(&changed);
    return status;
}

/* Rank 0, before the tensors are looked at: they would tell of a changed layer by what it did to
 * its neighbours. */
static int check_settings(const struct kd_training *t, const struct kd_checkpoint *checkpoint,
                          struct kd_error *err)
{
    struct kd_training_state there = {.optimizer = t->state.optimizer, .n_slots = t->state.n_slots};
    int status = kd_checkpoint_read_state(checkpoint, &there, err);
    if (status == 0 && there.settings)
        status = compare_settings(t, &there, err);
    kd_training_state_release(&there);
    return status;
}

/* Of another model. */
static int fail_misfit(const struct kd_training *t, bool own, struct kd_error *err)
{
    struct kd_error misfit = *err;
    const char *path = own ? t->job->checkpoint_dir : t->job->parent_checkpoint;
    if (own && t->job->anew)
        return kd_fail(err, "%s: the checkpoint does not fit: %s; %s", path, misfit.text,
                       t->job->anew);
    return kd_error_prefix(err, "%s: the checkpoint does not fit", path);
}

static int restore(struct kd_training *t, const struct kd_checkpoint *checkpoint, bool own,
                   struct kd_error *err)
{
    struct kd_training_state state = {.optimizer = t->state.optimizer, .n_slots = t->state.n_slots};
    bool is_root = t->session->comm->rank == 0, is_compared = own && t->job->anew;
    bool differs = is_compared && is_root && check_settings(t, checkpoint, err) < 0;
    if (is_compared && kd_comm_any_failed(t->session->comm, differs, err))
        return -1;
    if (kd_checkpoint_restore(checkpoint, t->plan, &state, err) < 0) {
        kd_training_state_release(&state);
        return fail_misfit(t, own, err);
    }
    if (!is_root)
        return 0;
    json_decref(state.settings);
    state.settings = json_incref(t->state.settings);
    fit_to_epochs(&state, t->state.steps_per_epoch, t->config->report_steps > 0);
    state.seed = t->seed;
    if (!own)
        leave_to_parent(&state);
    kd_training_state_release(&t->state);
    t->state = state;
    t->saved_step = own ? state.step : -1;
    if (own)
        kd_log(KD_LOG_INFO, "goes on after step %lld, from %s", (long long)state.step,
               t->job->checkpoint_dir);
    return 0;
}

/* The coordinator knows metrics again by (name, step), so all of them are sent once more: what was
 * not acknowledged when the last attempt died is in the checkpoint. */
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

/* What every rank counts; the rest of the state is rank 0's. */
static void agree_on_counts(struct kd_training *t)
{
    struct kd_comm *comm = t->session->comm;
    int64_t counts[] = {t->state.step, t->state.updates, t->saved_step, t->state.loss_scale_good,
                        t->state.loss_scale_left_out};
    comm->backend->broadcast(comm, 0, counts, sizeof counts);
    comm->backend->broadcast(comm, 0, &t->state.loss_scale, sizeof t->state.loss_scale);
    t->state.step = counts[0];
    t->state.updates = counts[1];
    t->saved_step = counts[2];
    t->state.loss_scale_good = counts[3];
    t->state.loss_scale_left_out = counts[4];
}

/* Unless it is told: where it costs nothing. */
static bool spreads_state(const struct kd_training *t)
{
    bool is_free = t->session->comm->backend->shares_memory && !t->session->sums_on_gpus;
    return t->config->zero < 0 ? is_free : t->config->zero == 1;
}

int kd_training_start(struct kd_training *t, struct kd_error *err)
{
    struct kd_checkpoint checkpoint = {0};
    bool own;
    kd_plan_prepare_update(t->plan, &(struct kd_update_options){.optimizer = t->config->optimizer,
                                                                .zero = spreads_state(t),
                                                                .averages = t->config->averages});
    kd_plan_reset(t->plan, t->seed);
    int found = open_start(t, &checkpoint, &own, err);
    int status = found > 0 ? restore(t, &checkpoint, own, err) : found;
    kd_checkpoint_release(&checkpoint);
    if (status < 0)
        return -1;
    agree_on_counts(t);
    if (kd_plan_scales_loss(t->plan) && t->state.loss_scale >= 1)
        kd_plan_set_loss_scale(t->plan,
                               (struct kd_loss_scale){.scale = (float)t->state.loss_scale,
                                                      .n_good = (int32_t)t->state.loss_scale_good,
                                                      .n_left_out = t->state.loss_scale_left_out});
    send_reports_again(t);
    return 0;
}

/* ---- saving */

/* The sums since the last report go to rank 0, which writes them; each rank keeps its own
 * seconds. */
static void collect_window(struct kd_training *t)
{
    struct kd_comm *comm = t->session->comm;
    double seconds = t->state.window.seconds;
    if (comm->size > 1)
        comm->backend->sum_doubles(comm, &t->state.window.loss_sum, KD_WINDOW_VALUES);
    if (comm->rank > 0)
        t->state.window = (struct kd_report_window){0};
    t->state.window.seconds = seconds;
}

static void warn_of_no_score(const struct kd_training *t)
{
    const struct kd_keeping *keeping = &t->config->keeping;
    if (keeping->best > 0 && has_checkpoints(t) && t->session->comm->rank == 0)
        kd_warn(
            "checkpoint.best is %lld, but this trial does not report %s (checkpoint.metric): no "
            "checkpoint is kept as one of the best",
            (long long)keeping->best, kd_metrics[keeping->metric].name);
}

void kd_training_score(struct kd_training *t, const struct kd_report *report)
{
    enum kd_metric_kind metric = t->config->keeping.metric;
    if (!report->has[metric] && t->state.scored_step == 0)
        warn_of_no_score(t);
    t->state.score = report->has[metric] ? report->values[metric] : NAN;
    t->state.scored_step = t->state.step;
    if (!isfinite(t->state.score))
        t->state.score = NAN;
}

/* The same on all ranks. */
static void note_loss_scale(struct kd_training *t)
{
    if (!kd_plan_scales_loss(t->plan))
        return;
    struct kd_loss_scale loss_scale = kd_plan_loss_scale(t->plan);
    t->state.loss_scale = (double)loss_scale.scale;
    t->state.loss_scale_good = loss_scale.n_good;
    t->state.loss_scale_left_out = loss_scale.n_left_out;
}

bool kd_training_save(struct kd_training *t, struct kd_error *err)
{
    struct kd_checkpoint_place place = own_place(t);
    struct kd_checkpoint_file file;
    if (!has_checkpoints(t))
        return true;
    collect_window(t);
    note_loss_scale(t);
    t->saved_step = t->state.step;
    if (kd_checkpoint_save(&place, t->plan, &t->state, &t->config->keeping, &file, err) < 0)
        return false;
    if (t->job->sink && t->job->sink->saved)
        t->job->sink->saved(t->job->sink->ud, kd_training_units(t), file.path, file.bytes,
                            file.digest);
    return true;
}
