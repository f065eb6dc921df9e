/* study_place.c - asking for points, placing trials on gangs, and the end of the experiment. */
#include "coordinator/study_internal.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"

static bool runs_trainer(const struct kd_study *study)
{
    return study->experiment->template.kind == KD_TEMPLATE_TRAINER;
}

/* ---- ending ---- */

void kd_turn_stop_attempt(struct kd_turn *turn, struct kd_study_attempt *attempt,
                          enum kd_stop_cause cause)
{
    struct kd_study_gang *gang = kd_study_find_gang(turn->study, attempt->row.gang);
    enum kd_action_kind how = gang->one_trial_only                                ? KD_DO_KILL
                              : cause == KD_CAUSE_DRAIN || cause == KD_CAUSE_RUNG ? KD_DO_YIELD
                                                                                  : KD_DO_STOP;
    attempt->cause = cause;
    attempt->row.state = KD_ATTEMPT_STOPPING;
    if (how == KD_DO_KILL) {
        gang->row.state = KD_GANG_STOPPING;
        kd_turn_save_gang(turn, gang);
    }
    kd_turn_save_attempt(turn, attempt);
    kd_turn_act(turn, (struct kd_action){.kind = how,
                                         .gang = gang->row.id,
                                         .fence = attempt->row.fence,
                                         .trial = attempt->row.trial});
}

void kd_turn_end_study(struct kd_turn *turn, enum kd_study_end end, const char *text)
{
    struct kd_study *study = turn->study;
    if (study->end != KD_STUDY_RUNNING)
        return;
    study->end = end;
    study->end_text = kd_strdup(text);
    if (kd_study_is_final(end)) {
        kd_turn_kill_pending(turn);
        kd_turn_end_paused(turn, text);
    }
    for (size_t i = 0; i < study->live_gangs.n; i++) {
        const struct kd_study_gang *gang = &study->gangs.items[study->live_gangs.items[i]];
        struct kd_study_attempt *attempt = kd_study_find_attempt(study, gang->fence);
        bool waits_at_rung = attempt != NULL && kd_attempt_is_due(attempt) &&
                             attempt->row.state == KD_ATTEMPT_LIVE && gang->one_trial_only;
        if (attempt != NULL && attempt->cause == KD_CAUSE_NONE)
            kd_turn_stop_attempt(turn, attempt,
                                 kd_study_is_final(end) ? KD_CAUSE_KILLED : KD_CAUSE_DRAIN);
        else if (waits_at_rung && kd_study_is_final(end)) /* nobody will need its checkpoint */
            kd_turn_stop_attempt(turn, attempt, attempt->cause);
    }
    kd_turn_save_experiment(turn);
}

static bool goal_is_met(const struct kd_study *study)
{
    if (!study->has_goal || study->best < 0)
        return false;
    double best = study->trials.items[study->best].objective;
    return study->experiment->objective.maximize ? best >= study->goal : best <= study->goal;
}

int kd_study_n_active(const struct kd_study *study)
{
    return (int)study->trials.n - kd_study_n_done(study) - study->counts[KD_TRIAL_PAUSED];
}

/* Katib's order: goal, failures, budget, space. */
static void check_end(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    int failed = kd_study_n_failed(study);
    if (goal_is_met(study))
        kd_turn_end_study(turn, KD_STUDY_GOAL, "the goal was met");
    else if (study->max_failed >= 0 && failed > 0 && failed >= study->max_failed)
        kd_turn_end_study(turn, KD_STUDY_TOO_MANY_FAILED, "maxFailedTrialCount was reached");
    else if (study->max_trials >= 0 && kd_study_n_done(study) >= study->max_trials)
        kd_turn_end_study(turn, KD_STUDY_MAX_TRIALS, "maxTrialCount was reached");
    else if (study->exhausted && kd_study_n_active(study) == 0 && !study->schedules)
        kd_turn_end_study(turn, KD_STUDY_SPACE_END,
                          study->experiment->is_external ? "the strategy has no more points"
                                                         : "every point of the space was tried");
}

/* ---- asking ---- */

/* An answer must fit a message of 1 MiB; a number has at most 25 characters and a comma. */
static int most_in_an_answer(const struct kd_study *study)
{
    int n_params = study->experiment->space.n_params;
    int most = (1 << 20) / (26 * (n_params + 2));
    return most < 1 ? 1 : most < 64 ? most : 64;
}

void kd_turn_ask(struct kd_turn *turn, int n)
{
    struct kd_study *study = turn->study;
    study->asking = true;
    study->ask_n = n;
    study->ask_trials = (int)study->trials.n;
    study->ask_done = study->history.n_done;
    study->ask_halts = (int)study->halts.n;
    kd_turn_act(turn, (struct kd_action){.kind = KD_DO_ASK, .trial = -1, .n = n});
}

static void ask(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    if (study->asking || study->exhausted)
        return;
    int most = most_in_an_answer(study);
    int n = study->parallel - kd_study_n_active(study);
    if (n > most)
        n = most;
    int enqueued = study->experiment->n_enqueued - (int)study->trials.n; /* here are no clones */
    if (study->experiment->is_external && enqueued > 0 && enqueued < n)
        n = enqueued; /* those are no business of an external strategy: a question of their own */
    int left = study->max_trials < 0 ? n : study->max_trials - (int)study->trials.n;
    if (left < n)
        n = left;
    if (n > 0)
        kd_turn_ask(turn, n);
}

/* ---- placing ---- */

static char *indices_json(const int *indices, int n)
{
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '[');
    for (int i = 0; i < n; i++)
        kd_json_int(&j, indices[i]);
    kd_json_close(&j, ']');
    return kd_str_take(&text);
}

static void describe_gang(const struct kd_study *study, struct kd_study_gang *gang)
{
    char *gpus = indices_json(gang->slots->gpus, gang->slots->n_gpus);
    char *cpus = indices_json(gang->slots->cpus, gang->slots->n_cpus);
    gang->row.shape = kd_format("{\"ranks\":%d,\"gpus\":%d,\"cpus\":%g}", study->n_ranks,
                                study->need.gpus, study->need.cpu_parts / (double)KD_CORE);
    gang->row.slots = kd_format("{\"gpus\":%s,\"cpus\":%s}", gpus, cpus);
    free(gpus);
    free(cpus);
}

/* NULL: the slots are not free. */
static struct kd_study_gang *new_gang(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    struct kd_slots slots;
    if (!kd_pool_take(&study->pool, &study->need, study->next_gang, &slots))
        return NULL;
    struct kd_study_gang gang = {.one_trial_only = !runs_trainer(study)};
    gang.slots = KD_NEW(struct kd_slots);
    *gang.slots = slots;
    gang.row.id = study->next_gang++;
    gang.row.state = KD_GANG_STARTING;
    describe_gang(study, &gang);
    kd_arr_push(&study->live_gangs, (int)study->gangs.n);
    kd_arr_push(&study->gangs, gang);
    return &study->gangs.items[study->gangs.n - 1];
}

/* Does a new attempt report only what comes after its checkpoint? A command that resumes does; one
 * that starts over, and the trainer (which sends again what its checkpoint remembers), report
 * everything. */
static bool goes_on(const struct kd_study *study)
{
    return !runs_trainer(study) && study->experiment->template.checkpoint.resumable;
}

/* Of the trainer its newest durable checkpoint; of a command that resumes the last step it
 * reported; of a clone that has neither its parent's rung. */
static int64_t step_to_go_on_from(const struct kd_study *study, const struct kd_trial *trial)
{
    int64_t saved = study->saved_step.items[trial->number];
    const struct kd_observation *seen = &study->history.trials[trial->number];
    if (goes_on(study) && seen->n_reports > 0)
        return seen->reports[seen->n_reports - 1].step;
    return saved > 0 ? saved : trial->parent_step;
}

static struct kd_study_attempt *new_attempt(struct kd_turn *turn, struct kd_trial *trial,
                                            struct kd_study_gang *gang)
{
    struct kd_study *study = turn->study;
    struct kd_study_attempt attempt = {
        .row = {.fence = study->next_fence++,
                .trial = trial->number,
                .n = ++trial->attempts,
                .gang = gang->row.id,
                .state = gang->one_trial_only ? KD_ATTEMPT_LIVE : KD_ATTEMPT_LAUNCHING,
                .started_at = turn->at},
        .resumed_from = step_to_go_on_from(study, trial),
    };
    gang->fence = attempt.row.fence;
    gang->row.state = KD_GANG_BUSY;
    trial->fence = attempt.row.fence;
    if (trial->started_at == 0)
        trial->started_at = turn->at;
    enum kd_trial_state running;
    kd_assert(kd_trial_next_state(trial->state, KD_MOVE_ASSIGNED, &running));
    study->counts[trial->state]--;
    study->counts[running]++;
    trial->state = running;
    if (!goes_on(study)) /* what lies beyond its checkpoint will be reported anew */
        kd_study_cut(study, trial->number, study->saved_step.items[trial->number]);
    kd_arr_push(&study->attempts, attempt);
    return &study->attempts.items[study->attempts.n - 1];
}

static void assign(struct kd_turn *turn, struct kd_trial *trial, struct kd_study_gang *gang,
                   enum kd_action_kind how)
{
    const struct kd_study_attempt *attempt = new_attempt(turn, trial, gang);
    kd_turn_save_gang(turn, gang);
    kd_turn_save_trial(turn, trial);
    kd_turn_save_attempt(turn, attempt);
    kd_turn_act(turn, (struct kd_action){.kind = how,
                                         .gang = gang->row.id,
                                         .fence = attempt->row.fence,
                                         .trial = trial->number});
}

static struct kd_study_gang *idle_gang(struct kd_study *study)
{
    for (size_t i = 0; i < study->live_gangs.n; i++) {
        struct kd_study_gang *gang = &study->gangs.items[study->live_gangs.items[i]];
        if (gang->row.state == KD_GANG_IDLE)
            return gang;
    }
    return NULL;
}

static int n_gangs_coming(const struct kd_study *study)
{
    int n = 0;
    for (size_t i = 0; i < study->live_gangs.n; i++)
        n += study->gangs.items[study->live_gangs.items[i]].row.state == KD_GANG_STARTING;
    return n;
}

static bool place_command(struct kd_turn *turn, struct kd_trial *trial)
{
    struct kd_study_gang *gang = new_gang(turn);
    if (gang != NULL)
        assign(turn, trial, gang, KD_DO_START);
    return gang != NULL;
}

static bool place_on_warm_gang(struct kd_turn *turn, struct kd_trial *trial)
{
    struct kd_study_gang *gang = idle_gang(turn->study);
    if (gang != NULL)
        assign(turn, trial, gang, KD_DO_ASSIGN);
    return gang != NULL;
}

/* As many gangs on their way as there are trials that wait for one. */
static void start_gangs(struct kd_turn *turn)
{
    while (n_gangs_coming(turn->study) < (int)turn->study->pending.n) {
        struct kd_study_gang *gang = new_gang(turn);
        if (gang == NULL)
            return;
        kd_turn_save_gang(turn, gang);
        kd_turn_act(turn,
                    (struct kd_action){.kind = KD_DO_START, .gang = gang->row.id, .trial = -1});
    }
}

static void place_pending(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    size_t placed = 0;
    while (placed < study->pending.n) {
        struct kd_trial *trial = &study->trials.items[study->pending.items[placed]];
        bool found =
            runs_trainer(study) ? place_on_warm_gang(turn, trial) : place_command(turn, trial);
        if (!found)
            break;
        placed++;
    }
    study->pending.n -= placed;
    for (size_t i = 0; i < study->pending.n; i++)
        study->pending.items[i] = study->pending.items[i + placed];
    if (runs_trainer(study))
        start_gangs(turn);
}

/* ---- winding down ---- */

static void release_idle_gangs(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    for (size_t i = 0; i < study->live_gangs.n; i++) {
        struct kd_study_gang *gang = &study->gangs.items[study->live_gangs.items[i]];
        bool can_go = gang->fence == 0 && gang->row.state != KD_GANG_STOPPING;
        if (!can_go)
            continue;
        gang->row.state = KD_GANG_STOPPING;
        kd_turn_save_gang(turn, gang);
        kd_turn_act(turn,
                    (struct kd_action){.kind = KD_DO_EXIT, .gang = gang->row.id, .trial = -1});
    }
}

static void wind_down(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    release_idle_gangs(turn);
    if (study->live_gangs.n > 0 || study->finished)
        return;
    study->finished = true;
    kd_turn_save_experiment(turn);
    kd_turn_act(turn, (struct kd_action){.kind = KD_DO_FINISH, .trial = -1});
}

void kd_turn_place(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    if (study->suspended)
        return;
    if (study->end == KD_STUDY_RUNNING)
        check_end(turn);
    if (study->end == KD_STUDY_RUNNING && !study->draining)
        (study->schedules ? kd_turn_schedule : ask)(turn);
    if (study->end == KD_STUDY_RUNNING && !study->draining)
        place_pending(turn);
    else
        wind_down(turn);
}
