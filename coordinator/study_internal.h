/* study_internal.h - what the parts of the study share: study.c (events), study_turn.c (what is to
 * be done), study_trial.c (a trial's ends), study_rung.c (pausing, going on, clones),
 * study_measure.c (what its metrics come to), study_place.c (asking, placing, ending), study_gpu.c
 * (a GPU that fails). Nobody else includes it. */
#ifndef KD_STUDY_INTERNAL_H
#define KD_STUDY_INTERNAL_H

#include "coordinator/study.h"

/* One event being applied: the study, where its actions go, and the time. */
struct kd_turn {
    struct kd_study *study;
    kd_actions *actions;
    double at;
};

void kd_turn_act(struct kd_turn *turn, struct kd_action action);
/* What changed is to be written; once an event is enough. */
void kd_turn_save_experiment(struct kd_turn *turn);
void kd_turn_save_trial(struct kd_turn *turn, const struct kd_trial *trial);
void kd_turn_save_attempt(struct kd_turn *turn, const struct kd_study_attempt *attempt);
void kd_turn_save_gang(struct kd_turn *turn, const struct kd_study_gang *gang);

/* study.c: one more trial, Pending; next: its `until`, and of a clone its parent. */
void kd_turn_add_trial(struct kd_turn *turn, const double *values, const struct kd_next *next);

/* study_measure.c */
double kd_study_flip(const struct kd_study *study, int objective, double value);
void kd_study_open_series(struct kd_study *study); /* for a trial that is added */
void kd_study_put_point(struct kd_study *study, int number, const struct kd_point_report *point);
void kd_study_cut(struct kd_study *study, int number, int64_t step); /* it goes back to there */
/* The watched metrics that have not reported: "'a' and 'b'", owned; NULL = none. */
char *kd_study_missing(const struct kd_study *study, int number);
/* In the user's direction; NaN: diverged. */
double kd_study_objective(const struct kd_study *study, int number, int i);
/* Fills what the trial measured, and counts it as the best when it is. */
void kd_study_measure(struct kd_study *study, struct kd_trial *trial);
/* Do its metrics so far meet the goal, and do the constraints hold? */
bool kd_study_meets_goal(const struct kd_study *study, int number);
/* The trial is over for strategies and stoppers too. */
void kd_study_finish_history(struct kd_study *study, const struct kd_trial *trial,
                             enum kd_outcome outcome);

/* study_trial.c */
struct kd_attempt_end {
    enum kd_attempt_state state;
    enum kd_trial_move move;
    const char *text; /* why, for people; borrowed */
};
struct kd_trial *kd_turn_trial_of(struct kd_turn *turn, const struct kd_study_attempt *attempt);
void kd_turn_set_reason(struct kd_trial *trial, const char *text);
void kd_turn_move_trial(struct kd_turn *turn, struct kd_trial *trial, enum kd_trial_move move);
void kd_turn_end_attempt(struct kd_turn *turn, struct kd_study_attempt *attempt,
                         struct kd_attempt_end end);
void kd_turn_report(struct kd_turn *turn, struct kd_study_attempt *attempt,
                    const struct kd_event *event);
void kd_turn_end_by_message(struct kd_turn *turn, struct kd_study_attempt *attempt,
                            const struct kd_event *event);
void kd_turn_end_by_exit(struct kd_turn *turn, struct kd_study_attempt *attempt,
                         const struct kd_event *event);
/* No fault of its own: run again, at most so often in a row. counts: this time is one of those. */
void kd_turn_end_by_infrastructure(struct kd_turn *turn, struct kd_study_attempt *attempt,
                                   const char *text, bool counts);
void kd_turn_kill_pending(struct kd_turn *turn);

/* study_gpu.c */
void kd_turn_fail_gpu(struct kd_turn *turn, const struct kd_event *event);
/* Its GPU failed: lost, and run again elsewhere. */
void kd_turn_end_by_gpu(struct kd_turn *turn, struct kd_study_attempt *attempt);
/* Others hold the memory of its GPU: the same. */
void kd_turn_end_by_taken_gpu(struct kd_turn *turn, struct kd_study_attempt *attempt,
                              const char *text);

/* study_rung.c */
/* The stopper said PAUSE at this step, or GO. */
void kd_turn_reach_rung(struct kd_turn *turn, struct kd_study_attempt *attempt, int64_t step);
void kd_turn_reach_end(struct kd_turn *turn, struct kd_study_attempt *attempt, int64_t step);
/* An attempt that is to end by itself (kd_attempt_is_due) has reported another step. */
void kd_turn_pass_rung(struct kd_turn *turn, struct kd_study_attempt *attempt, int64_t step);
bool kd_attempt_is_due(const struct kd_study_attempt *attempt);
/* Did a command run on to its whole length? Then it is at no rung any more: its `until` is 0. */
bool kd_turn_went_whole(struct kd_turn *turn, const struct kd_study_attempt *attempt);
/* An attempt with `until` has ended and has reports: the trial stands at its rung, or is over. */
void kd_turn_stand(struct kd_turn *turn, struct kd_study_attempt *attempt);
/* Fills the free slots; may end the experiment. */
void kd_turn_schedule(struct kd_turn *turn);
/* Nobody will go on with the trials that stand paused; why, for people. */
void kd_turn_end_paused(struct kd_turn *turn, const char *why);

/* study_place.c */
void kd_turn_ask(struct kd_turn *turn, int n);
int kd_study_n_active(const struct kd_study *study); /* that have a slot, or are to have one */
void kd_turn_place(struct kd_turn *turn); /* everything that follows when something has changed */
void kd_turn_stop_attempt(struct kd_turn *turn, struct kd_study_attempt *attempt,
                          enum kd_stop_cause cause);
void kd_turn_end_study(struct kd_turn *turn, enum kd_study_end end, const char *text);

#endif
