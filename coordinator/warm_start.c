#include "coordinator/warm_start.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/feed.h"
#include "coordinator/store/query.h"
#include "coordinator/watch.h"

/* A trial of the earlier experiment as the new one sees it. */
struct candidate {
    double *values, *objectives, *constraints; /* owned; objectives NULL: infeasible */
    enum kd_outcome outcome;
    struct kd_report last; /* of the first objective, minimised; step 0 = none */
};

struct reading {
    struct kd_store *store;
    const struct kd_experiment *experiment; /* the new one */
    struct kd_experiment_info earlier;
    KD_ARR(struct candidate) candidates;
};

static void release_candidate(struct candidate *candidate)
{
    free(candidate->values);
    free(candidate->objectives);
    free(candidate->constraints);
}

/* ---- the point ---- */

static const struct kd_param_value *find_value(const struct kd_trial_info *trial, const char *name)
{
    for (int i = 0; i < trial->n_params; i++)
        if (strcmp(trial->params[i].name, name) == 0)
            return &trial->params[i];
    return NULL;
}

/* Every value that the new space can take; NaN where there is none, which is an error of the active
 * ones only. */
static int read_values(const struct kd_space *space, const struct kd_trial_info *trial,
                       double *values, struct kd_error *err)
{
    struct kd_error why = {0};
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param_value *value = find_value(trial, space->params[i].name);
        values[i] = NAN;
        if (value != NULL && kd_param_parse(&space->params[i], value->text, &values[i], &why) != 0)
            values[i] = NAN;
    }
    kd_space_mask(space, values);
    for (int i = 0; i < space->n_params; i++) {
        const char *name = space->params[i].name;
        const struct kd_param_value *value = find_value(trial, name);
        bool is_good = !kd_space_is_active(space, values, i) ||
                       (!isnan(values[i]) && kd_param_allows(&space->params[i], values[i]));
        if (!is_good && value != NULL)
            return kd_fail(err, "trial %d: %s = %s is not in the new space", trial->number, name,
                           value->text);
        if (!is_good)
            return kd_fail(err, "trial %d has no %s", trial->number, name);
    }
    return 0;
}

/* ---- what it measured ---- */

static int put_point(void *ud, const struct kd_metric_point *point)
{
    kd_series_put(ud, (struct kd_report){point->step, point->value});
    return 0;
}

static void measure(const struct kd_experiment *experiment, int watch,
                    const struct kd_series *series, struct candidate *candidate)
{
    int n_objectives = kd_experiment_n_objectives(experiment);
    if (watch >= n_objectives) {
        candidate->constraints[watch - n_objectives] =
            kd_constraint_excess(&experiment->constraints[watch - n_objectives],
                                 kd_points_latest(series->points, series->n));
        return;
    }
    double value = kd_points_pick(series->points, series->n, kd_experiment_pick(experiment, watch));
    candidate->objectives[watch] = kd_experiment_flip(experiment, watch, value);
    if (watch == 0 && series->n > 0) {
        struct kd_report last = series->points[series->n - 1];
        candidate->last =
            (struct kd_report){last.step, kd_experiment_flip(experiment, 0, last.value)};
    }
}

/* 1: each watched metric was reported; 0: err says which was not; -1: the file cannot be read. */
static int read_measured(struct reading *reading, int number, struct candidate *candidate,
                         struct kd_error *err)
{
    const struct kd_experiment *experiment = reading->experiment;
    int result = 1;
    for (int i = 0; i < kd_watch_count(experiment) && result == 1; i++) {
        struct kd_series series = {0};
        const char *metric = kd_watch_metric(experiment, i);
        if (kd_query_points(reading->store, reading->earlier.id, number, metric, put_point, &series,
                            err) != 0)
            result = -1;
        else if (series.n == 0)
            result = kd_fail(err, "trial %d reported no '%s'", number, metric) + 1;
        else
            measure(experiment, i, &series, candidate);
        kd_series_release(&series);
    }
    return result;
}

static bool is_finite(const struct kd_experiment *experiment, const double *objectives)
{
    for (int i = 0; i < kd_experiment_n_objectives(experiment); i++)
        if (!isfinite(objectives[i]))
            return false;
    return true;
}

static void make_infeasible(struct candidate *candidate)
{
    free(candidate->objectives);
    candidate->objectives = NULL;
    candidate->outcome = KD_INFEASIBLE;
}

/* 1 usable, 0 not (err says why), -1. */
static int read_candidate(struct reading *reading, const struct kd_trial_info *trial,
                          struct candidate *candidate, struct kd_error *err)
{
    const struct kd_experiment *experiment = reading->experiment;
    int n_objectives = kd_experiment_n_objectives(experiment);
    *candidate = (struct candidate){
        .values = KD_NEW_ARRAY(double, (size_t)experiment->space.n_params + 1),
        .objectives = KD_NEW_ARRAY(double, (size_t)n_objectives),
        .constraints = KD_NEW_ARRAY(double, (size_t)experiment->n_constraints + 1),
        .outcome = trial->state == KD_TRIAL_EARLY_STOPPED ? KD_PRUNED : KD_COMPLETE,
    };
    for (int i = 0; i < experiment->n_constraints; i++)
        candidate->constraints[i] = NAN;
    if (read_values(&experiment->space, trial, candidate->values, err) != 0)
        return 0;
    if (trial->state == KD_TRIAL_FAILED) {
        make_infeasible(candidate);
        return 1;
    }
    int result = read_measured(reading, trial->number, candidate, err);
    if (result == 1 && !is_finite(experiment, candidate->objectives))
        make_infeasible(candidate);
    return result;
}

/* ---- all of them ---- */

static int read_candidates(struct reading *reading, struct kd_warm_counts *counts,
                           struct kd_error *err)
{
    struct kd_trial_info *trials;
    int n, result = 0;
    if (kd_query_trials(reading->store, reading->earlier.id, -1, &trials, &n, err) != 0)
        return -1;
    for (int i = 0; i < n && result == 0; i++) {
        struct candidate candidate;
        struct kd_error why = {0};
        bool says_something =
            kd_trial_is_terminal(trials[i].state) && trials[i].state != KD_TRIAL_KILLED;
        if (!says_something)
            continue;
        int usable = read_candidate(reading, &trials[i], &candidate, &why);
        if (usable == 1) {
            kd_arr_push(&reading->candidates, candidate);
            continue;
        }
        release_candidate(&candidate);
        if (usable < 0)
            result = kd_fail(err, "%s", why.text);
        else if (counts->skipped++ == 0)
            snprintf(counts->why, sizeof counts->why, "%.255s", why.text);
    }
    kd_trial_infos_free(trials, n);
    return result;
}

static json_t *entries_of(const struct reading *reading, size_t first)
{
    struct kd_history priors;
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_experiment_history(reading->experiment, &priors);
    kd_json_open(&j, '[');
    for (size_t i = first; i < reading->candidates.n; i++) {
        const struct candidate *candidate = &reading->candidates.items[i];
        struct kd_measured measured = {candidate->objectives, candidate->constraints};
        int number = priors.n;
        kd_history_add_prior_measured(&priors, candidate->values, candidate->outcome, measured);
        if (candidate->last.step > 0)
            kd_history_report(&priors, number, candidate->last.step, candidate->last.value);
        kd_feed_write_prior(&j, &priors, number);
    }
    kd_json_close(&j, ']');
    json_t *entries = json_loads(text.text, 0, NULL);
    kd_str_release(&text);
    kd_history_release(&priors);
    return entries;
}

static int check_metrics(struct reading *reading, struct kd_error *err)
{
    const struct kd_experiment *experiment = reading->experiment;
    int result = 0;
    for (int i = 0; i < kd_watch_count(experiment) && result == 0; i++) {
        const char *metric = kd_watch_metric(experiment, i);
        char *recorded = NULL;
        int found =
            kd_query_has_metric(reading->store, reading->earlier.id, metric, &recorded, err);
        if (found < 0)
            return -1;
        if (found == 0)
            result = kd_fail(err,
                             "spec.warmStart.experiment: no trial of '%s' has recorded '%s', so it "
                             "cannot teach this experiment; it recorded: %s",
                             reading->earlier.name, metric, *recorded ? recorded : "nothing");
        free(recorded);
    }
    return result;
}

int kd_warm_start_read(struct kd_store *store, const struct kd_experiment *experiment,
                       json_t **priors, struct kd_warm_counts *counts, struct kd_error *err)
{
    struct reading reading = {.store = store, .experiment = experiment};
    const char *name = experiment->warm_start.experiment;
    *counts = (struct kd_warm_counts){0};
    int found = kd_query_experiment(store, name, &reading.earlier, err);
    if (found == 0)
        kd_fail(err,
                "spec.warmStart.experiment: %s holds no experiment '%s' (`katydid list` shows what "
                "there is)",
                kd_store_path(store), name);
    int result = found == 1 ? check_metrics(&reading, err) : -1;
    if (result == 0)
        result = read_candidates(&reading, counts, err);
    if (result == 0) {
        size_t most = (size_t)experiment->warm_start.trials, n = reading.candidates.n;
        size_t first = most > 0 && n > most ? n - most : 0;
        counts->used = (int)(n - first);
        *priors = entries_of(&reading, first);
    }
    for (size_t i = 0; i < reading.candidates.n; i++)
        release_candidate(&reading.candidates.items[i]);
    kd_arr_release(&reading.candidates);
    kd_experiment_info_release(&reading.earlier);
    return result;
}
