/* study_measure.c - what a trial's metrics come to: its objectives, its constraints, and whether it
 * is the best. */
#include "coordinator/study_internal.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

double kd_study_flip(const struct kd_study *study, int objective, double value)
{
    return kd_experiment_flip(study->experiment, objective, value);
}

static int n_kept_here(const struct kd_study *study)
{
    return kd_watch_count(study->experiment) - 1;
}

static struct kd_series *series_of(const struct kd_study *study, int number, int watch)
{
    return &study->series.items[number * n_kept_here(study) + watch - 1];
}

void kd_study_open_series(struct kd_study *study)
{
    for (int i = 0; i < n_kept_here(study); i++)
        kd_arr_push(&study->series, (struct kd_series){0});
}

void kd_study_put_point(struct kd_study *study, int number, const struct kd_point_report *point)
{
    struct kd_report report = {point->step, point->value};
    if (point->watch == 0)
        kd_history_report(&study->history, number, report.step,
                          kd_study_flip(study, 0, report.value));
    else
        kd_series_put(series_of(study, number, point->watch), report);
}

void kd_study_cut(struct kd_study *study, int number, int64_t step)
{
    kd_history_cut(&study->history, number, step);
    for (int i = 1; i <= n_kept_here(study); i++)
        kd_series_cut(series_of(study, number, i), step);
}

static int n_points(const struct kd_study *study, int number, int watch)
{
    return watch == 0 ? study->history.trials[number].n_reports
                      : series_of(study, number, watch)->n;
}

char *kd_study_missing(const struct kd_study *study, int number)
{
    struct kd_str text = {0};
    for (int i = 0; i < kd_watch_count(study->experiment); i++)
        if (n_points(study, number, i) == 0)
            kd_str_addf(&text, "%s'%s'", text.length ? " and " : "",
                        kd_watch_metric(study->experiment, i));
    return text.length ? kd_str_take(&text) : NULL;
}

double kd_study_objective(const struct kd_study *study, int number, int i)
{
    const struct kd_observation *trial = &study->history.trials[number];
    enum kd_metric_pick pick = kd_experiment_pick(study->experiment, i);
    if (i > 0) {
        const struct kd_series *series = series_of(study, number, i);
        return kd_points_pick(series->points, series->n, pick);
    }
    bool is_flipped = kd_experiment_maximizes(study->experiment, 0);
    if (is_flipped && pick != KD_PICK_LATEST)
        pick = pick == KD_PICK_MIN ? KD_PICK_MAX : KD_PICK_MIN;
    return kd_study_flip(study, 0, kd_points_pick(trial->reports, trial->n_reports, pick));
}

static double excess_of(const struct kd_study *study, int number, int constraint)
{
    int watch = kd_experiment_n_objectives(study->experiment) + constraint;
    const struct kd_series *series = series_of(study, number, watch);
    return kd_constraint_excess(&study->experiment->constraints[constraint],
                                kd_points_latest(series->points, series->n));
}

bool kd_study_meets_goal(const struct kd_study *study, int number)
{
    double value = kd_study_objective(study, number, 0);
    bool meets =
        study->has_goal && isfinite(value) &&
        (study->experiment->objective.maximize ? value >= study->goal : value <= study->goal);
    for (int i = 0; meets && i < study->experiment->n_constraints; i++)
        meets = excess_of(study, number, i) <= 0; /* NaN: not known */
    return meets;
}

static void count_best(struct kd_study *study, const struct kd_trial *trial)
{
    bool counts =
        trial->n_more_objectives == 0 && kd_trial_is_finite(trial) && kd_trial_is_feasible(trial);
    if (!counts)
        return; /* of several objectives there is a front and no best */
    const struct kd_trial *best = study->best < 0 ? NULL : &study->trials.items[study->best];
    if (best == NULL ||
        kd_study_flip(study, 0, trial->objective) < kd_study_flip(study, 0, best->objective))
        study->best = trial->number;
}

/* The points of a finished trial are needed no more. */
static void close_series(struct kd_study *study, int number)
{
    for (int i = 1; i <= n_kept_here(study); i++)
        kd_series_release(series_of(study, number, i));
}

void kd_study_measure(struct kd_study *study, struct kd_trial *trial)
{
    const struct kd_experiment *experiment = study->experiment;
    int n_objectives = kd_experiment_n_objectives(experiment);
    trial->has_objective = true;
    for (int i = 0; i < n_objectives; i++)
        trial->has_objective = trial->has_objective && n_points(study, trial->number, i) > 0;
    trial->objective = kd_study_objective(study, trial->number, 0);
    trial->n_more_objectives = experiment->n_more_objectives;
    trial->n_constraints = experiment->n_constraints;
    trial->more_objectives = KD_NEW_ARRAY(double, (size_t)trial->n_more_objectives + 1);
    trial->excess = KD_NEW_ARRAY(double, (size_t)trial->n_constraints + 1);
    for (int i = 0; i < trial->n_more_objectives; i++)
        trial->more_objectives[i] = kd_study_objective(study, trial->number, i + 1);
    for (int i = 0; i < trial->n_constraints; i++)
        trial->excess[i] = excess_of(study, trial->number, i);
    count_best(study, trial);
}

void kd_study_finish_history(struct kd_study *study, const struct kd_trial *trial,
                             enum kd_outcome outcome)
{
    int n = kd_experiment_n_objectives(study->experiment);
    double *objectives = KD_NEW_ARRAY(double, (size_t)n);
    objectives[0] = kd_study_flip(study, 0, trial->objective);
    for (int i = 1; i < n && trial->has_objective; i++)
        objectives[i] = kd_study_flip(study, i, trial->more_objectives[i - 1]);
    struct kd_measured measured = {.objectives = trial->has_objective ? objectives : NULL,
                                   .constraints = trial->excess};
    kd_history_finish_measured(&study->history, trial->number, outcome, measured);
    close_series(study, trial->number);
    free(objectives);
}
