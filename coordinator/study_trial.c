/* study_trial.c - what the end of an attempt means for its trial. */
#include "coordinator/study_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

/* Faults that are not the trial's own (a killed rank, a lost gang) are retried so often in a row;
 * an attempt that got to a new checkpoint starts the count again. */
enum { MOST_INFRA_FAILURES = 10 };

struct kd_trial *kd_turn_trial_of(struct kd_turn *turn, const struct kd_study_attempt *attempt)
{
    return &turn->study->trials.items[attempt->row.trial];
}

void kd_turn_set_reason(struct kd_trial *trial, const char *text)
{
    free(trial->reason);
    trial->reason = kd_strdup(text);
}

/* ---- reports ---- */

static void judge(struct kd_turn *turn, struct kd_study_attempt *attempt,
                  const struct kd_point_report *report)
{
    const struct kd_experiment *experiment = turn->study->experiment;
    if (kd_attempt_is_due(attempt))
        kd_turn_pass_rung(turn, attempt, report->step);
    if (experiment->stopper == NULL || attempt->cause != KD_CAUSE_NONE)
        return;
    if (report->step <= attempt->resumed_from)
        return; /* an attempt before this one was judged by it, against the trials of then */
    int number = attempt->row.trial;
    struct kd_report seen = {report->step, kd_study_flip(turn->study, 0, report->value)};
    enum kd_verdict verdict =
        kd_scheduler_judge(turn->study->scheduler, &turn->study->history, number, &seen);
    if (verdict == KD_PAUSE)
        kd_turn_reach_rung(turn, attempt, report->step);
    if (verdict == KD_GO)
        kd_turn_reach_end(turn, attempt, report->step);
    if (verdict != KD_STOP)
        return;
    char text[128], shown[KD_NUMBER_MAX];
    snprintf(text, sizeof text, "%s: stopped at step %lld with %s = %s", experiment->stopper->name,
             (long long)report->step, experiment->objective.metric,
             kd_number_text(report->value, shown));
    kd_turn_set_reason(kd_turn_trial_of(turn, attempt), text);
    kd_turn_stop_attempt(turn, attempt, KD_CAUSE_EARLY);
}

void kd_turn_report(struct kd_turn *turn, struct kd_study_attempt *attempt,
                    const struct kd_event *event)
{
    for (int i = 0; i < event->n_reports; i++) {
        kd_study_put_point(turn->study, attempt->row.trial, &event->reports[i]);
        if (event->reports[i].watch == 0)
            judge(turn, attempt, &event->reports[i]);
    }
}

/* ---- ends ---- */

static enum kd_outcome outcome_of(const struct kd_trial *trial)
{
    switch (trial->state) {
    case KD_TRIAL_SUCCEEDED:
        return kd_trial_is_finite(trial) ? KD_COMPLETE : KD_INFEASIBLE;
    case KD_TRIAL_EARLY_STOPPED:
    case KD_TRIAL_KILLED:
        return KD_PRUNED;
    default:
        return KD_INFEASIBLE;
    }
}

void kd_turn_move_trial(struct kd_turn *turn, struct kd_trial *trial, enum kd_trial_move move)
{
    enum kd_trial_state to;
    if (!kd_trial_next_state(trial->state, move, &to))
        kd_bug("trial %d: '%s' is not possible from %s", trial->number, kd_trial_move_text(move),
               kd_trial_state_name(trial->state));
    turn->study->counts[trial->state]--;
    turn->study->counts[to]++;
    trial->state = to;
    if (to == KD_TRIAL_PENDING)
        kd_arr_push(&turn->study->pending, trial->number);
    if (!kd_trial_is_terminal(to))
        return;
    trial->finished_at = turn->at;
    if (to == KD_TRIAL_SUCCEEDED || to == KD_TRIAL_EARLY_STOPPED)
        kd_study_measure(turn->study, trial);
    kd_study_finish_history(turn->study, trial, outcome_of(trial));
    trial->done_seq = turn->study->history.trials[trial->number].done_seq;
}

void kd_turn_end_attempt(struct kd_turn *turn, struct kd_study_attempt *attempt,
                         struct kd_attempt_end end)
{
    struct kd_trial *trial = kd_turn_trial_of(turn, attempt);
    bool would_run_again = end.move == KD_MOVE_RETRIED || end.move == KD_MOVE_YIELDED;
    if (would_run_again && kd_study_is_final(turn->study->end))
        end.move = KD_MOVE_KILLED;
    attempt->row.state = end.state;
    attempt->row.finished_at = turn->at;
    free(attempt->row.outcome);
    attempt->row.outcome = kd_strdup(end.text);
    if (end.move != KD_MOVE_STOPPED || trial->reason == NULL)
        kd_turn_set_reason(trial, end.text);
    kd_turn_move_trial(turn, trial, end.move);
    kd_turn_save_attempt(turn, attempt);
    kd_turn_save_trial(turn, trial);
}

/* Owned; NULL: every objective ended finite. */
static char *describe_divergence(const struct kd_study *study, int number)
{
    for (int i = 0; i < kd_experiment_n_objectives(study->experiment); i++)
        if (!isfinite(kd_study_objective(study, number, i)))
            return kd_format("diverged: no finite '%s' at the end",
                             kd_experiment_metric(study->experiment, i));
    return NULL;
}

/* It ran to its end: the whole one, or that of its rung. */
static void end_naturally(struct kd_turn *turn, struct kd_study_attempt *attempt, const char *seen)
{
    bool has_reports = turn->study->history.trials[attempt->row.trial].n_reports > 0;
    bool has_rung = has_reports && kd_turn_trial_of(turn, attempt)->until > 0;
    if (has_rung && !kd_turn_went_whole(turn, attempt)) {
        kd_turn_stand(turn, attempt);
        return;
    }
    struct kd_attempt_end end = {KD_ATTEMPT_WON, KD_MOVE_FINISHED, "finished"};
    char *missing = kd_study_missing(turn->study, attempt->row.trial), *text = NULL;
    if (missing != NULL) {
        end.state = KD_ATTEMPT_FAILED;
        end.move = KD_MOVE_NO_METRIC;
        end.text = text = kd_format("it ended without reporting %s. %s", missing, seen ? seen : "");
    } else {
        text = describe_divergence(turn->study, attempt->row.trial);
        end.text = text ? text : end.text;
    }
    kd_turn_end_attempt(turn, attempt, end);
    free(missing);
    free(text);
}

static void end_by_own_failure(struct kd_turn *turn, struct kd_study_attempt *attempt,
                               const char *text)
{
    struct kd_trial *trial = kd_turn_trial_of(turn, attempt);
    int most = turn->study->max_retries;
    bool again = ++trial->user_failures <= most;
    kd_turn_end_attempt(
        turn, attempt,
        (struct kd_attempt_end){KD_ATTEMPT_FAILED, again ? KD_MOVE_RETRIED : KD_MOVE_BROKE, text});
}

void kd_turn_end_by_infrastructure(struct kd_turn *turn, struct kd_study_attempt *attempt,
                                   const char *text, bool counts)
{
    struct kd_trial *trial = kd_turn_trial_of(turn, attempt);
    bool got_further = turn->study->saved_step.items[trial->number] > attempt->resumed_from;
    if (counts)
        trial->infra_failures = got_further ? 1 : trial->infra_failures + 1;
    bool again = trial->infra_failures <= MOST_INFRA_FAILURES;
    kd_turn_end_attempt(
        turn, attempt,
        (struct kd_attempt_end){KD_ATTEMPT_LOST, again ? KD_MOVE_RETRIED : KD_MOVE_BROKE, text});
}

/* It ended because we asked it to. */
static void end_by_cause(struct kd_turn *turn, struct kd_study_attempt *attempt)
{
    static const struct kd_attempt_end ends[] = {
        [KD_CAUSE_EARLY] = {KD_ATTEMPT_WON, KD_MOVE_STOPPED, "stopped early"},
        [KD_CAUSE_KILLED] = {KD_ATTEMPT_FAILED, KD_MOVE_KILLED,
                             "ended because the experiment was over"},
        [KD_CAUSE_TIME] = {KD_ATTEMPT_FAILED, KD_MOVE_BROKE,
                           "limits.trialTime passed: give it more time, or less to do"},
        [KD_CAUSE_DRAIN] = {KD_ATTEMPT_YIELDED, KD_MOVE_YIELDED, "gave way: the run was stopped"},
    };
    if (attempt->cause == KD_CAUSE_GPU)
        kd_turn_end_by_gpu(turn, attempt);
    else if (attempt->cause == KD_CAUSE_STALLED)
        kd_turn_end_by_infrastructure(turn, attempt, "it made no progress and was killed", true);
    else if (attempt->cause == KD_CAUSE_NONE)
        kd_turn_end_by_infrastructure(turn, attempt, "it was asked to end by nobody known", true);
    else if (attempt->cause == KD_CAUSE_WHOLE || kd_turn_went_whole(turn, attempt))
        end_naturally(turn, attempt, NULL);
    else if (attempt->cause == KD_CAUSE_RUNG)
        kd_turn_stand(turn, attempt);
    else
        kd_turn_end_attempt(turn, attempt, ends[attempt->cause]);
}

static void on_succeeded(struct kd_turn *turn, struct kd_study_attempt *attempt, const char *text)
{
    end_naturally(turn, attempt, text);
}

static void on_stopped(struct kd_turn *turn, struct kd_study_attempt *attempt, const char *text)
{
    (void)text;
    end_by_cause(turn, attempt);
}

static void on_diverged(struct kd_turn *turn, struct kd_study_attempt *attempt, const char *text)
{
    int number = attempt->row.trial;
    const struct kd_observation *trial = &turn->study->history.trials[number];
    int64_t step = trial->n_reports ? trial->reports[trial->n_reports - 1].step + 1 : 1;
    kd_history_report(&turn->study->history, number, step, NAN);
    char *reason = kd_format("diverged: %s", text ? text : "the loss is not finite");
    kd_turn_end_attempt(turn, attempt,
                        (struct kd_attempt_end){KD_ATTEMPT_WON, KD_MOVE_FINISHED, reason});
    free(reason);
}

/* It would be the same again, however many retries are left: the search learns that it does not
 * fit. Somebody else's process may have filled the GPU, which the text lets a person see. */
static void end_by_memory(struct kd_turn *turn, struct kd_study_attempt *attempt, const char *text)
{
    if (attempt->cause == KD_CAUSE_GPU)
        kd_turn_end_by_gpu(turn, attempt);
    else
        kd_turn_end_attempt(turn, attempt,
                            (struct kd_attempt_end){KD_ATTEMPT_FAILED, KD_MOVE_BROKE, text});
}

void kd_turn_end_by_message(struct kd_turn *turn, struct kd_study_attempt *attempt,
                            const struct kd_event *event)
{
    static const struct {
        const char *outcome;
        void (*handle)(struct kd_turn *, struct kd_study_attempt *, const char *);
    } outcomes[] = {
        {"succeeded", on_succeeded},
        {"stopped", on_stopped},
        {"yielded", on_stopped},
        {"diverged", on_diverged},
        {"failed", end_by_own_failure},
        {"out_of_memory", end_by_memory},
        {"gpu_taken", kd_turn_end_by_taken_gpu},
    };
    bool is_success = event->outcome && strcmp(event->outcome, "succeeded") == 0;
    if (attempt->cause == KD_CAUSE_GPU && !is_success) {
        kd_turn_end_by_gpu(turn, attempt); /* whatever it makes of that */
        return;
    }
    for (size_t i = 0; i < KD_COUNT(outcomes); i++)
        if (event->outcome && strcmp(outcomes[i].outcome, event->outcome) == 0) {
            outcomes[i].handle(turn, attempt, event->text);
            return;
        }
    end_by_own_failure(turn, attempt, "the trainer ended the trial in an unknown way");
}

/* A shell and mpirun report a rank's death by SIGKILL as 128 + 9. */
static bool was_killed_from_outside(const struct kd_event *event)
{
    return event->exit_signal == 9 || event->exit_code == 137;
}

static void end_by_own_exit(struct kd_turn *turn, struct kd_study_attempt *attempt,
                            const struct kd_event *event, bool is_command)
{
    if (is_command && event->exit_code == 0)
        end_naturally(turn, attempt, event->text);
    else if (attempt->cause == KD_CAUSE_GPU)
        kd_turn_end_by_gpu(turn, attempt);
    else if (!is_command || was_killed_from_outside(event))
        kd_turn_end_by_infrastructure(turn, attempt, event->text, true);
    else
        end_by_own_failure(turn, attempt, event->text);
}

void kd_turn_end_by_exit(struct kd_turn *turn, struct kd_study_attempt *attempt,
                         const struct kd_event *event)
{
    struct kd_trial *trial = kd_turn_trial_of(turn, attempt);
    bool is_command = turn->study->experiment->template.kind != KD_TEMPLATE_TRAINER;
    trial->exit_code = is_command ? event->exit_code : -1;
    trial->exit_signal = is_command ? event->exit_signal : -1;
    switch (event->end) {
    case KD_END_EXITED:
        end_by_own_exit(turn, attempt, event, is_command);
        break;
    case KD_END_ASKED:
        end_by_cause(turn, attempt);
        break;
    case KD_END_ORPHANED:
        if (attempt->cause == KD_CAUSE_EARLY || attempt->cause == KD_CAUSE_TIME) {
            end_by_cause(turn, attempt); /* that was decided while there was a coordinator */
            break;
        }
        kd_turn_end_by_infrastructure(turn, attempt, "the coordinator went away; it runs again",
                                      false);
        break;
    case KD_END_MEMORY: /* its own doing, and it would be again: the search learns that it does not fit */
        end_by_own_failure(turn, attempt, event->text);
        break;
    case KD_END_GPU_MEMORY:
        end_by_memory(turn, attempt, event->text);
        break;
    case KD_END_NO_START:
        kd_turn_end_by_infrastructure(turn, attempt, event->text, false);
        kd_turn_end_study(turn, KD_STUDY_BROKEN, event->text);
        break;
    case KD_END_LOST:
        if (attempt->cause != KD_CAUSE_NONE)
            end_by_cause(turn, attempt); /* it would not end, and its supervisor was killed */
        else
            kd_turn_end_by_infrastructure(turn, attempt, event->text, true);
        break;
    default:
        kd_turn_end_attempt(turn, attempt,
                            (struct kd_attempt_end){KD_ATTEMPT_FAILED, KD_MOVE_BROKE, event->text});
        break;
    }
}

void kd_turn_kill_pending(struct kd_turn *turn)
{
    struct kd_study *study = turn->study;
    for (size_t i = 0; i < study->pending.n; i++) {
        struct kd_trial *trial = &study->trials.items[study->pending.items[i]];
        kd_turn_set_reason(trial, trial->attempts > 0 ? "not run again: the experiment was over"
                                                      : "never started: the experiment was over");
        kd_turn_move_trial(turn, trial, KD_MOVE_KILLED);
        kd_turn_save_trial(turn, trial);
    }
    kd_arr_clear(&study->pending);
}
