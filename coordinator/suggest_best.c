#include "coordinator/suggest_best.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/render.h"
#include "coordinator/suggest_request.h"
#include "search/math/hypervolume.h"
#include "search/pareto.h"

/* An opened object with what a trial is. */
static void open_trial(const struct kd_experiment *experiment, const struct kd_observation *trial,
                       struct kd_json *j)
{
    char *params = kd_point_json(&experiment->space, trial->values);
    kd_json_open(j, '{');
    kd_json_add_int(j, "number", trial->number);
    kd_json_add_raw(j, "params", params);
    free(params);
}

static void add_best(const struct kd_experiment *experiment, const struct kd_history *history,
                     struct kd_json *j)
{
    int at = kd_history_best(history);
    kd_json_key(j, "best");
    if (at < 0) {
        kd_json_null(j);
        return;
    }
    const struct kd_observation *trial = &history->trials[at];
    open_trial(experiment, trial, j);
    kd_json_add_number(j, "objective", kd_experiment_flip(experiment, 0, trial->objective));
    kd_json_close(j, '}');
}

/* The objectives of some trials as rows, minimised; owned. */
static double *rows_of(const struct kd_history *history, const int *numbers, int n)
{
    int m = history->n_objectives;
    double *rows = KD_NEW_ARRAY(double, (size_t)n *(size_t)m + 1);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < m; k++)
            rows[i * m + k] = kd_observation_objective(&history->trials[numbers[i]], k);
    return rows;
}

/* A tenth beyond the worst of what was measured, so that it does not move with the front alone. */
static void default_reference(const struct kd_history *history, double *reference)
{
    int n = 0, *numbers = KD_NEW_ARRAY(int, (size_t)history->n_done + 1);
    for (int i = 0; i < history->n_done; i++)
        if (kd_observation_has_objective(&history->trials[history->done[i]]))
            numbers[n++] = history->done[i];
    double *rows = rows_of(history, numbers, n);
    kd_pareto_reference(&(struct kd_costs){.n = n, .m = history->n_objectives, .rows = rows},
                        reference);
    free(rows);
    free(numbers);
}

static void add_numbers(const struct kd_experiment *experiment, const char *key,
                        const double *values, struct kd_json *j)
{
    kd_json_key(j, key);
    kd_json_open(j, '[');
    for (int i = 0; i < kd_experiment_n_objectives(experiment); i++)
        kd_json_number(j, kd_experiment_flip(experiment, i, values[i]));
    kd_json_close(j, ']');
}

/* reference: minimised; NULL = the default. */
static void add_front(const struct kd_experiment *experiment, const struct kd_history *history,
                      const double *reference, struct kd_json *j)
{
    int m = history->n_objectives, *numbers = KD_NEW_ARRAY(int, (size_t)history->n_done + 1);
    int n = kd_history_front(history, numbers);
    double *rows = rows_of(history, numbers, n), *before = KD_NEW_ARRAY(double, (size_t)m);
    kd_json_key(j, "front");
    kd_json_open(j, '[');
    for (int i = 0; i < n; i++) {
        open_trial(experiment, &history->trials[numbers[i]], j);
        add_numbers(experiment, "objectives", &rows[i * m], j);
        kd_json_close(j, '}');
    }
    kd_json_close(j, ']');
    if (n > 0) {
        if (reference)
            memcpy(before, reference, (size_t)m * sizeof *before);
        else
            default_reference(history, before);
        kd_json_add_number(j, "hypervolume", kd_hypervolume(rows, n, m, before));
        add_numbers(experiment, "reference", before, j);
    }
    free(before);
    free(rows);
    free(numbers);
}

/* Minimised and owned, NULL when none was given; -1 and err. */
static int read_reference(const struct kd_experiment *experiment, const json_t *json,
                          double **reference, struct kd_error *err)
{
    const json_t *given = json_object_get(json, "reference");
    int n = kd_experiment_n_objectives(experiment);
    *reference = NULL;
    if (json_is_true(json))
        return 0;
    if (given == NULL || json_object_size(json) != 1 || n < 2)
        return kd_fail(err, "best takes true%s", n < 2 ? "" : " or {\"reference\": [...]}");
    *reference = kd_request_objectives(experiment, given, "reference", err);
    for (int i = 0; *reference && i < n; i++) {
        (*reference)[i] = kd_experiment_flip(experiment, i, (*reference)[i]);
        if (isfinite((*reference)[i]))
            continue;
        free(*reference);
        return kd_fail(err, "reference: a number must be finite");
    }
    return *reference ? 0 : -1;
}

int kd_suggest_best(const struct kd_experiment *experiment, const struct kd_history *history,
                    const json_t *json, struct kd_json *j, struct kd_error *err)
{
    double *reference;
    if (read_reference(experiment, json, &reference, err) != 0)
        return -1;
    if (history->n_objectives == 1)
        add_best(experiment, history, j);
    else
        add_front(experiment, history, reference, j);
    free(reference);
    return 0;
}
