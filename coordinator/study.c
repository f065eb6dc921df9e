#include "coordinator/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "coordinator/study_internal.h"

static const struct {
    const char *state, *reason;
    bool final;
} ends[] = {
#define X(id, state, reason, final) {state, reason, final},
    KD_STUDY_ENDS(X)
#undef X
};

const char *kd_study_state_name(enum kd_study_end end)
{
    return ends[end].state;
}

const char *kd_study_reason_name(enum kd_study_end end)
{
    return ends[end].reason;
}

bool kd_study_is_final(enum kd_study_end end)
{
    return ends[end].final;
}

int kd_experiment_ranks(const struct kd_experiment *experiment)
{
    const struct kd_resources *resources = &experiment->resources;
    if (resources->processes > 0)
        return resources->processes;
    bool rank_per_gpu = experiment->template.kind == KD_TEMPLATE_TRAINER && resources->gpus > 0;
    return rank_per_gpu ? resources->gpus : 1;
}

struct kd_need kd_experiment_need(const struct kd_experiment *experiment)
{
    const struct kd_resources *resources = &experiment->resources;
    double cpus = resources->cpus > 0 ? resources->cpus : kd_experiment_ranks(experiment);
    int parts = (int)ceil(cpus * KD_CORE);
    return (struct kd_need){
        .gpus = resources->gpus,
        .cpu_parts = parts < KD_CORE ? parts : (parts + KD_CORE - 1) / KD_CORE * KD_CORE,
        .oversubscribe = resources->oversubscribe,
        .memory = resources->memory_bytes,
    };
}

/* The spec was checked: it fits. */
static struct kd_scheduler *new_scheduler(const struct kd_experiment *experiment)
{
    struct kd_error err;
    struct kd_scheduler *scheduler = kd_experiment_scheduler(experiment, &err);
    if (scheduler == NULL)
        kd_bug("%s", err.text);
    return scheduler;
}

struct kd_study *kd_study_new(const struct kd_experiment *experiment)
{
    struct kd_study *study = KD_NEW(struct kd_study);
    study->experiment = experiment;
    kd_experiment_history(experiment, &study->history);
    kd_experiment_history(experiment, &study->priors);
    study->scheduler = new_scheduler(experiment);
    unsigned can = experiment->stopper
                       ? kd_stopper_can(experiment->stopper, &experiment->stopper_settings)
                       : 0;
    study->schedules = (can & (KD_STOPPER_PAUSES | KD_STOPPER_CLONES)) != 0;
    study->clones = (can & KD_STOPPER_CLONES) != 0;
    study->need = kd_experiment_need(experiment);
    study->n_ranks = kd_experiment_ranks(experiment);
    study->next_fence = study->next_gang = 1;
    study->best = -1;
    study->suspended = true;
    kd_pool_init(&study->pool, 0, 1, 0, NULL);
    return study;
}

void kd_study_free(struct kd_study *study)
{
    if (study == NULL)
        return;
    for (size_t i = 0; i < study->trials.n; i++)
        kd_trial_release(&study->trials.items[i]);
    for (size_t i = 0; i < study->attempts.n; i++)
        kd_attempt_release(&study->attempts.items[i].row);
    for (size_t i = 0; i < study->gangs.n; i++) {
        kd_gang_release(&study->gangs.items[i].row);
        free(study->gangs.items[i].slots);
        free(study->gangs.items[i].fault);
    }
    kd_arr_release(&study->trials);
    kd_arr_release(&study->attempts);
    kd_arr_release(&study->gangs);
    kd_arr_release(&study->live_gangs);
    kd_arr_release(&study->pending);
    kd_arr_release(&study->saved_step);
    kd_arr_release(&study->rung_step);
    kd_arr_release(&study->halts);
    kd_scheduler_free(study->scheduler);
    for (size_t i = 0; i < study->series.n; i++)
        kd_series_release(&study->series.items[i]);
    kd_arr_release(&study->series);
    kd_history_release(&study->history);
    kd_history_release(&study->priors);
    free(study->end_text);
    free(study);
}

/* Both lists are in ascending order of their ids. */
struct kd_study_attempt *kd_study_find_attempt(struct kd_study *study, int64_t fence)
{
    size_t low = 0, high = study->attempts.n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (study->attempts.items[middle].row.fence < fence)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < study->attempts.n && study->attempts.items[low].row.fence == fence;
    return found ? &study->attempts.items[low] : NULL;
}

struct kd_study_gang *kd_study_find_gang(struct kd_study *study, int64_t gang)
{
    size_t low = 0, high = study->gangs.n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (study->gangs.items[middle].row.id < gang)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < study->gangs.n && study->gangs.items[low].row.id == gang;
    return found ? &study->gangs.items[low] : NULL;
}

static bool attempt_is_live(const struct kd_study_attempt *attempt)
{
    return attempt->row.state == KD_ATTEMPT_LAUNCHING || attempt->row.state == KD_ATTEMPT_LIVE ||
           attempt->row.state == KD_ATTEMPT_STOPPING;
}

bool kd_study_is_live(struct kd_study *study, int64_t fence)
{
    const struct kd_study_attempt *attempt = kd_study_find_attempt(study, fence);
    return attempt != NULL && attempt_is_live(attempt);
}

int kd_study_n_done(const struct kd_study *study)
{
    int n = 0;
    for (int state = 0; state < KD_N_TRIAL_STATES; state++)
        if (kd_trial_is_terminal((enum kd_trial_state)state))
            n += study->counts[state];
    return n;
}

int kd_study_n_failed(const struct kd_study *study)
{
    return study->counts[KD_TRIAL_FAILED] + study->counts[KD_TRIAL_METRICS_UNAVAILABLE];
}

struct kd_feed_source kd_study_feed_source(const struct kd_study *study)
{
    return (struct kd_feed_source){.priors = &study->priors,
                                   .own = &study->history,
                                   .n_trials = study->ask_trials,
                                   .n_done = study->ask_done,
                                   .halts = study->halts.items,
                                   .n_halts = study->ask_halts};
}

char *kd_study_basis_json(const struct kd_study *study)
{
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    kd_json_add_int(&j, "done", study->ask_done);
    if (study->ask_halts > 0)
        kd_json_add_int(&j, "halts", study->ask_halts);
    kd_json_key(&j, "running");
    kd_json_open(&j, '[');
    for (int i = 0; i < study->ask_trials; i++) {
        int64_t done_seq = study->history.trials[i].done_seq;
        if (done_seq < 0 || done_seq >= study->ask_done)
            kd_json_int(&j, i);
    }
    kd_json_close(&j, ']');
    kd_json_close(&j, '}');
    return kd_str_take(&text);
}

/* ---- events ---- */

static void on_prior(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_error err;
    if (kd_feed_read(event->priors, &turn->study->priors, &err) != 0)
        kd_bug("%s", err.text); /* both ends are ours */
    turn->study->is_primed = true;
}

static void on_takeover(struct kd_turn *turn, const struct kd_event *event)
{
    (void)event;
    turn->study->suspended = true;
    turn->study->asking = false;
}

/* A new coordinator: its limits count from now on, and no gang of the one before is left (each was
 * reported ended before this event, or never started). */
static void on_started(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study *study = turn->study;
    struct kd_links links;
    struct kd_error err;
    if (kd_links_from_json(event->links, event->n_gpus, &links, &err) != 0)
        kd_bug("%s", err.text); /* both ends are ours */
    kd_pool_init(&study->pool, event->n_gpus, event->n_cpus, event->memory, &links);
    int capacity = kd_pool_capacity(&study->pool, &study->need);
    study->parallel =
        event->parallel > 0 && event->parallel < capacity ? event->parallel : capacity;
    if (event->parallel > 0 && study->need.oversubscribe)
        study->parallel = event->parallel;
    study->max_trials = event->max_trials;
    study->max_failed = event->max_failed;
    study->max_retries = event->max_retries;
    study->trial_time_s = event->trial_time_s;
    study->wall_time_s = event->wall_time_s;
    study->grace_s = event->grace_s;
    study->has_goal = event->has_goal;
    study->goal = event->goal;
    study->next_fence = event->next_fence;
    study->next_gang = event->next_gang;
    study->suspended = study->draining = study->finished = study->asking = false;
    study->n_bad_starts = 0;
    study->started_at = turn->at;
    study->end = KD_STUDY_RUNNING;
    free(study->end_text);
    study->end_text = NULL;
    kd_turn_save_experiment(turn);
    if (capacity == 0)
        kd_turn_end_study(turn, KD_STUDY_BROKEN, "a trial needs more slots than this machine has");
}

void kd_turn_add_trial(struct kd_turn *turn, const double *values, const struct kd_next *next)
{
    struct kd_study *study = turn->study;
    size_t bytes = (size_t)study->experiment->space.n_params * sizeof *values;
    struct kd_trial trial = {
        .number = kd_history_add(&study->history, values),
        .values = kd_alloc(bytes),
        .until = next->until,
        .parent = next->parent,
        .done_seq = -1,
        .exit_code = -1,
        .exit_signal = -1,
        .created_at = turn->at,
        .ask_basis = next->has_point ? NULL : kd_study_basis_json(study),
    };
    memcpy(trial.values, values, bytes);
    if (next->parent >= 0)
        trial.parent_step = study->rung_step.items[next->parent];
    trial.seed = (int64_t)(kd_hash2(study->experiment->seed, (uint64_t)trial.number) >> 1);
    kd_assert((size_t)trial.number == study->trials.n);
    kd_arr_push(&study->trials, trial);
    kd_arr_push(&study->saved_step, 0);
    kd_arr_push(&study->rung_step, 0);
    if (study->schedules)
        kd_history_schedule(&study->history, trial.number, next->until, next->parent);
    kd_study_open_series(study);
    kd_arr_push(&study->pending, trial.number);
    study->counts[KD_TRIAL_PENDING]++;
    kd_turn_save_trial(turn, &trial);
}

static void on_suggested(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study *study = turn->study;
    if (!study->asking)
        return;
    study->asking = false;
    if (study->end != KD_STUDY_RUNNING)
        return; /* too late: nobody will try these points */
    int n_params = study->experiment->space.n_params;
    struct kd_next next = {.kind = KD_NEXT_NEW, .until = study->asked_until, .parent = -1};
    for (int i = 0; i < event->n; i++)
        kd_turn_add_trial(turn, event->values + (size_t)i * (size_t)n_params, &next);
    if (event->n < study->ask_n)
        study->exhausted = true;
}

static void on_ready(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study_gang *gang = kd_study_find_gang(turn->study, event->gang);
    if (gang == NULL || gang->fence != 0 || gang->row.state != KD_GANG_STARTING)
        return;
    gang->row.state = KD_GANG_IDLE;
    turn->study->n_bad_starts = 0;
    kd_turn_save_gang(turn, gang);
}

static void on_metrics(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study_attempt *attempt = kd_study_find_attempt(turn->study, event->fence);
    if (attempt == NULL || !attempt_is_live(attempt))
        return;
    if (event->seq > 0)
        attempt->row.last_seq = event->seq;
    if (event->log_offset > 0)
        attempt->row.log_offset = event->log_offset;
    if (attempt->row.state == KD_ATTEMPT_LAUNCHING)
        attempt->row.state = KD_ATTEMPT_LIVE;
    kd_turn_save_attempt(turn, attempt);
    kd_turn_report(turn, attempt, event);
}

static void on_saved(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study_attempt *attempt = kd_study_find_attempt(turn->study, event->fence);
    if (attempt == NULL || !attempt_is_live(attempt))
        return;
    attempt->row.last_seq = event->seq;
    turn->study->saved_step.items[attempt->row.trial] = event->step;
    kd_turn_save_attempt(turn, attempt);
}

static void on_done(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study_attempt *attempt = kd_study_find_attempt(turn->study, event->fence);
    if (attempt == NULL || !attempt_is_live(attempt))
        return;
    attempt->row.last_seq = event->seq;
    int64_t gang_id = attempt->row.gang;
    kd_turn_end_by_message(turn, attempt, event);
    struct kd_study_gang *gang = kd_study_find_gang(turn->study, gang_id);
    gang->fence = 0;
    if (gang->row.state == KD_GANG_BUSY)
        gang->row.state = KD_GANG_STARTING; /* until its READY comes */
    kd_turn_save_gang(turn, gang);
}

/* A gang that dies before its first READY, again and again, will not get better by trying. */
static void count_bad_start(struct kd_turn *turn, const struct kd_event *event)
{
    enum { MOST = 3 };
    struct kd_study *study = turn->study;
    bool is_hopeless = event->end == KD_END_UNSTARTABLE || event->end == KD_END_NO_START;
    if (event->end == KD_END_ORPHANED)
        return;
    if (++study->n_bad_starts < MOST && !is_hopeless)
        return;
    char *text = kd_format("the trainer cannot start: %s", event->text ? event->text : "");
    kd_turn_end_study(turn, KD_STUDY_BROKEN, text);
    free(text);
}

static void forget_live_gang(struct kd_study *study, int index)
{
    size_t kept = 0;
    for (size_t i = 0; i < study->live_gangs.n; i++)
        if (study->live_gangs.items[i] != index)
            study->live_gangs.items[kept++] = study->live_gangs.items[i];
    study->live_gangs.n = kept;
}

static void on_gang_ended(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study_gang *gang = kd_study_find_gang(turn->study, event->gang);
    if (gang == NULL || gang->row.state == KD_GANG_ENDED)
        return;
    bool never_ready = gang->row.state == KD_GANG_STARTING && !gang->one_trial_only;
    int64_t fence = gang->fence;
    gang->row.state = KD_GANG_ENDED;
    gang->fence = 0;
    forget_live_gang(turn->study, (int)(gang - turn->study->gangs.items));
    kd_pool_give(&turn->study->pool, gang->slots);
    free(gang->slots); /* thousands of gangs have ended in a long experiment */
    gang->slots = NULL;
    kd_turn_save_gang(turn, gang);
    struct kd_study_attempt *attempt = kd_study_find_attempt(turn->study, fence);
    if (attempt != NULL && attempt_is_live(attempt))
        kd_turn_end_by_exit(turn, attempt, event);
    else if (never_ready)
        count_bad_start(turn, event);
}

static void on_stalled(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study_gang *gang = kd_study_find_gang(turn->study, event->gang);
    if (gang == NULL || gang->fence == 0)
        return;
    struct kd_study_attempt *attempt = kd_study_find_attempt(turn->study, gang->fence);
    if (!attempt_is_live(attempt) || attempt->cause != KD_CAUSE_NONE)
        return; /* it is ending already, for a reason of its own */
    attempt->cause = KD_CAUSE_STALLED;
    attempt->row.state = KD_ATTEMPT_STOPPING;
    gang->row.state = KD_GANG_STOPPING;
    kd_turn_save_attempt(turn, attempt);
    kd_turn_act(turn, (struct kd_action){.kind = KD_DO_KILL, .gang = gang->row.id, .trial = -1});
}

/* What the i-th live gang works on; NULL: nothing. */
static struct kd_study_attempt *live_attempt(struct kd_study *study, size_t i)
{
    return kd_study_find_attempt(study, study->gangs.items[study->live_gangs.items[i]].fence);
}

static double attempt_deadline(const struct kd_study *study, const struct kd_study_attempt *attempt)
{
    double limit = study->trial_time_s;
    if (kd_attempt_is_due(attempt) && attempt->row.state == KD_ATTEMPT_LIVE)
        return attempt->ends_by;
    bool counts = attempt_is_live(attempt) && attempt->cause == KD_CAUSE_NONE && limit > 0;
    return counts ? attempt->row.started_at + limit : 0;
}

static double study_deadline(const struct kd_study *study)
{
    double limit = study->wall_time_s;
    bool counts = limit > 0 && study->end == KD_STUDY_RUNNING && !study->draining;
    return counts ? study->started_at + limit : 0;
}

static void on_timer(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study *study = turn->study;
    (void)event;
    for (size_t i = 0; i < study->live_gangs.n; i++) {
        struct kd_study_attempt *attempt = live_attempt(study, i);
        double deadline = attempt ? attempt_deadline(study, attempt) : 0;
        if (deadline > 0 && deadline <= turn->at)
            kd_turn_stop_attempt(turn, attempt,
                                 kd_attempt_is_due(attempt) ? attempt->cause : KD_CAUSE_TIME);
    }
    double deadline = study_deadline(study);
    if (deadline > 0 && deadline <= turn->at)
        kd_turn_end_study(turn, KD_STUDY_WALL_TIME, "limits.wallTime passed");
}

static void on_drain(struct kd_turn *turn, const struct kd_event *event)
{
    struct kd_study *study = turn->study;
    (void)event;
    if (study->draining)
        return;
    study->draining = true;
    for (size_t i = 0; i < study->live_gangs.n; i++) {
        struct kd_study_attempt *attempt = live_attempt(study, i);
        if (attempt != NULL && attempt_is_live(attempt) && attempt->cause == KD_CAUSE_NONE)
            kd_turn_stop_attempt(turn, attempt, KD_CAUSE_DRAIN);
    }
}

static void on_ask_failed(struct kd_turn *turn, const struct kd_event *event)
{
    turn->study->asking = false;
    kd_turn_end_study(turn, KD_STUDY_BROKEN, event->text);
}

static void (*const handlers[KD_N_EVENTS])(struct kd_turn *, const struct kd_event *) = {
    [KD_EVENT_PRIOR] = on_prior,
    [KD_EVENT_TAKEOVER] = on_takeover,
    [KD_EVENT_STARTED] = on_started,
    [KD_EVENT_SUGGESTED] = on_suggested,
    [KD_EVENT_ASK_FAILED] = on_ask_failed,
    [KD_EVENT_READY] = on_ready,
    [KD_EVENT_METRICS] = on_metrics,
    [KD_EVENT_SAVED] = on_saved,
    [KD_EVENT_DONE] = on_done,
    [KD_EVENT_GANG_ENDED] = on_gang_ended,
    [KD_EVENT_STALLED] = on_stalled,
    [KD_EVENT_GPU_FAILED] = kd_turn_fail_gpu,
    [KD_EVENT_TIMER] = on_timer,
    [KD_EVENT_DRAIN] = on_drain,
};

void kd_study_apply(struct kd_study *study, const struct kd_event *event, kd_actions *actions)
{
    struct kd_turn turn = {study, actions, event->at};
    handlers[event->kind](&turn, event);
    kd_turn_place(&turn);
}

double kd_study_deadline(const struct kd_study *study)
{
    double nearest = study_deadline(study);
    if (study->trial_time_s <= 0 && !study->schedules)
        return nearest;
    for (size_t i = 0; i < study->live_gangs.n; i++) {
        const struct kd_study_attempt *attempt = live_attempt((struct kd_study *)study, i);
        double deadline = attempt ? attempt_deadline(study, attempt) : 0;
        if (deadline > 0 && (nearest == 0 || deadline < nearest))
            nearest = deadline;
    }
    return nearest;
}
