/* study_rung.c - trials that pause at rungs: standing still, going on, clones, and filling a free
 * slot as the scheduler says. */
#include "coordinator/study_internal.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

/* ---- reaching a rung ---- */

/* Does its gang serve this trial alone, so that it has to be ended with it? */
static bool is_command(struct kd_turn *turn, const struct kd_study_attempt *attempt)
{
    return kd_study_find_gang(turn->study, attempt->row.gang)->one_trial_only;
}

/* Until where it was sent; 0 = to an end that only it knows. */
static int64_t length_of(struct kd_turn *turn, const struct kd_study_attempt *attempt)
{
    int64_t until = kd_turn_trial_of(turn, attempt)->until;
    return until > 0 ? until : (int64_t)turn->study->experiment->fidelity_max;
}

bool kd_attempt_is_due(const struct kd_study_attempt *attempt)
{
    return attempt->cause == KD_CAUSE_RUNG || attempt->cause == KD_CAUSE_WHOLE;
}

/* A command gets the time to save what it printed last. */
static void let_end(struct kd_turn *turn, struct kd_study_attempt *attempt,
                    enum kd_stop_cause cause)
{
    attempt->cause = cause;
    attempt->ends_by = is_command(turn, attempt) ? turn->at + turn->study->grace_s : 0;
}

/* The trainer ends where it was sent to, whatever it reports. */
static void reach(struct kd_turn *turn, struct kd_study_attempt *attempt, int64_t step,
                  enum kd_stop_cause cause)
{
    int64_t length = length_of(turn, attempt);
    bool is_there = is_command(turn, attempt) ? step == length : step >= length;
    if (length > 0 && is_there)
        let_end(turn, attempt, cause);
    else
        kd_turn_stop_attempt(turn, attempt, cause);
}

void kd_turn_reach_rung(struct kd_turn *turn, struct kd_study_attempt *attempt, int64_t step)
{
    reach(turn, attempt, step, KD_CAUSE_RUNG);
}

void kd_turn_reach_end(struct kd_turn *turn, struct kd_study_attempt *attempt, int64_t step)
{
    int64_t length = length_of(turn, attempt);
    bool is_whole = kd_turn_trial_of(turn, attempt)->until == 0 && length > 0 && step >= length;
    if (turn->study->schedules && is_whole && is_command(turn, attempt))
        reach(turn, attempt, step, KD_CAUSE_WHOLE);
}

void kd_turn_pass_rung(struct kd_turn *turn, struct kd_study_attempt *attempt, int64_t step)
{
    bool is_beyond = step > length_of(turn, attempt);
    if (is_beyond && is_command(turn, attempt) && attempt->row.state == KD_ATTEMPT_LIVE)
        kd_turn_stop_attempt(turn, attempt, attempt->cause);
}

/* ---- standing there ---- */

static const struct kd_report *last_report(const struct kd_study *study, int number)
{
    const struct kd_observation *seen = &study->history.trials[number];
    return &seen->reports[seen->n_reports - 1];
}

/* "asha: paused at step 3 with loss = 0.5"; owned. */
static char *describe(const struct kd_study *study, int number, const char *what)
{
    const struct kd_report *last = last_report(study, number);
    char shown[KD_NUMBER_MAX];
    return kd_format("%s: %s at step %lld with %s = %s", study->experiment->stopper->name, what,
                     (long long)last->step, study->experiment->objective.metric,
                     kd_number_text(kd_study_flip(study, 0, last->value), shown));
}

bool kd_turn_went_whole(struct kd_turn *turn, const struct kd_study_attempt *attempt)
{
    struct kd_study *study = turn->study;
    struct kd_trial *trial = kd_turn_trial_of(turn, attempt);
    const struct kd_observation *seen = &study->history.trials[trial->number];
    double whole = study->experiment->fidelity_max;
    bool was_at_rung = attempt->cause == KD_CAUSE_RUNG && trial->until > 0;
    if (!was_at_rung || whole <= 0 || (double)seen->reports[seen->n_reports - 1].step < whole)
        return false;
    trial->until = 0;
    kd_history_schedule(&study->history, trial->number, 0, trial->parent);
    return true;
}

static void halt(struct kd_turn *turn, struct kd_halt halt)
{
    kd_arr_push(&turn->study->halts, halt);
}

static void pause(struct kd_turn *turn, struct kd_study_attempt *attempt)
{
    struct kd_study *study = turn->study;
    int number = attempt->row.trial;
    const struct kd_report last = *last_report(study, number);
    char *text = describe(study, number, "paused");
    kd_turn_end_attempt(turn, attempt,
                        (struct kd_attempt_end){KD_ATTEMPT_YIELDED, KD_MOVE_PAUSED, text});
    free(text);
    kd_history_pause(&study->history, number);
    halt(turn, (struct kd_halt){.trial = number, .step = last.step, .value = last.value});
    study->rung_step.items[number] = last.step;
    if (study->clones)
        kd_turn_act(turn,
                    (struct kd_action){.kind = KD_DO_PIN, .trial = number, .step = last.step});
}

/* Why a trial that has ended at a rung is over; owned. NULL: it is not. */
static char *reason_to_end(const struct kd_study *study, const struct kd_study_attempt *attempt)
{
    int number = attempt->row.trial;
    const struct kd_trial *trial = &study->trials.items[number];
    const struct kd_report *last = last_report(study, number);
    if (attempt->cause == KD_CAUSE_EARLY)
        return kd_strdup(trial->reason);
    if (last->step < trial->until && attempt->cause != KD_CAUSE_RUNG)
        return kd_format("it ended by itself at step %lld, before its rung at step %lld: a trial "
                         "reports each step until KATYDID_BUDGET",
                         (long long)last->step, (long long)trial->until);
    if (!isfinite(last->value))
        return describe(study, number, "diverged");
    if (kd_study_meets_goal(study, number))
        return describe(study, number, "the goal is met");
    if (kd_study_is_final(study->end))
        return describe(study, number, "the experiment was over");
    return NULL;
}

void kd_turn_stand(struct kd_turn *turn, struct kd_study_attempt *attempt)
{
    char *text = reason_to_end(turn->study, attempt);
    if (text == NULL) {
        pause(turn, attempt);
        return;
    }
    kd_turn_set_reason(kd_turn_trial_of(turn, attempt), text);
    kd_turn_end_attempt(turn, attempt,
                        (struct kd_attempt_end){KD_ATTEMPT_WON, KD_MOVE_STOPPED, text});
    free(text);
}

void kd_turn_end_paused(struct kd_turn *turn, const char *why)
{
    struct kd_study *study = turn->study;
    for (size_t i = 0; i < study->trials.n && study->counts[KD_TRIAL_PAUSED] > 0; i++) {
        struct kd_trial *trial = &study->trials.items[i];
        if (trial->state != KD_TRIAL_PAUSED)
            continue;
        char *text = describe(study, trial->number, "paused");
        char *reason = kd_format("%s; nobody goes on with it: %s", text, why);
        kd_turn_set_reason(trial, reason);
        kd_turn_move_trial(turn, trial, KD_MOVE_STOPPED);
        kd_turn_save_trial(turn, trial);
        free(reason);
        free(text);
    }
}

/* ---- a slot is free ---- */

static void resume(struct kd_turn *turn, const struct kd_next *next)
{
    struct kd_study *study = turn->study;
    struct kd_trial *trial = &study->trials.items[next->trial];
    char *text = describe(study, trial->number, "among the best");
    char *reason = next->until > 0
                       ? kd_format("%s, it goes on to step %lld", text, (long long)next->until)
                       : kd_format("%s, it goes on to its end", text);
    kd_history_resume(&study->history, trial->number, next->until);
    halt(turn, (struct kd_halt){.trial = trial->number, .goes_on = true, .step = next->until});
    trial->until = next->until;
    kd_turn_set_reason(trial, reason);
    kd_turn_move_trial(turn, trial, KD_MOVE_RESUMED);
    kd_turn_save_trial(turn, trial);
    free(reason);
    free(text);
}

/* It has reported its rung and has not ended yet: there is no checkpoint of it to start from. */
static bool is_about_to_stand(const struct kd_study *study, const struct kd_trial *trial)
{
    bool is_under_way = trial->state == KD_TRIAL_RUNNING || trial->state == KD_TRIAL_PENDING;
    return is_under_way && trial->until > 0 && study->history.trials[trial->number].n_reports > 0 &&
           last_report(study, trial->number)->step >= trial->until;
}

static bool start_clone(struct kd_turn *turn, const struct kd_next *next, const double *point)
{
    struct kd_study *study = turn->study;
    int number = (int)study->trials.n;
    if (is_about_to_stand(study, &study->trials.items[next->parent]))
        return false;
    kd_assert(study->rung_step.items[next->parent] >
              0); /* it reached one, and does not stand before it */
    kd_turn_add_trial(turn, point, next);
    kd_turn_act(turn, (struct kd_action){.kind = KD_DO_CLONE,
                                         .trial = number,
                                         .parent = next->parent,
                                         .step = study->rung_step.items[next->parent]});
    return true;
}

static bool start_new(struct kd_turn *turn, const struct kd_next *next, const double *point)
{
    struct kd_study *study = turn->study;
    if (study->asking)
        return false;
    if (next->has_point)
        return start_clone(turn, next, point);
    study->asked_until = next->until;
    kd_turn_ask(turn, 1);
    return true;
}

/* The rungs are used up, and nothing is under way any more. */
static void end_of_rungs(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    bool has_number = study->max_trials < 0 || (int)study->trials.n < study->max_trials;
    kd_turn_end_paused(turn, "no place on the next rung was left");
    kd_turn_end_study(turn, has_number ? KD_STUDY_SPACE_END : KD_STUDY_MAX_TRIALS,
                      !has_number        ? "maxTrialCount was reached, and the rungs are used up"
                      : study->exhausted ? "every point was proposed, and the rungs are used up"
                                         : "the rungs are used up");
}

/* false: nothing more to do now. */
static bool follow(struct kd_turn *turn, const struct kd_next *next, const double *point)
{
    switch (next->kind) {
    case KD_NEXT_NEW:
        return start_new(turn, next, point);
    case KD_NEXT_RESUME:
        resume(turn, next);
        return true;
    case KD_NEXT_END:
        if (!turn->study->asking)
            end_of_rungs(turn);
        return false;
    default:
        return false;
    }
}

void kd_turn_schedule(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    double *point = KD_NEW_ARRAY(double, (size_t)study->experiment->space.n_params + 1);
    bool is_more = true;
    while (is_more && kd_study_n_active(study) + study->asking < study->parallel) {
        bool has_number = study->max_trials < 0 || (int)study->trials.n < study->max_trials;
        bool may_start = study->asking || (has_number && !study->exhausted);
        struct kd_next next =
            kd_scheduler_next(study->scheduler, &study->history, may_start ? point : NULL);
        is_more = follow(turn, &next, point);
    }
    free(point);
}
