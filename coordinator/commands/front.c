#include "coordinator/commands/front.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/math/hypervolume.h"
#include "search/pareto.h"

/* search/ minimises. */
static double flip(const struct kd_experiment_info *e, int objective, double value)
{
    return e->objectives[objective].maximize ? -value : value;
}

/* A history of what was measured: its points are of no interest here. */
static void fill_history(struct kd_history *history, const struct kd_experiment_info *e,
                         const struct kd_trial_info *trials, int n)
{
    double *objectives = KD_NEW_ARRAY(double, (size_t)e->n_objectives);
    for (int i = 0; i < n; i++) {
        const struct kd_trial_info *trial = &trials[i];
        int number = kd_history_add(history, NULL);
        bool counts = trial->n_objectives == e->n_objectives;
        for (int k = 0; counts && k < e->n_objectives; k++) {
            objectives[k] = flip(e, k, trial->objectives[k]);
            counts = isfinite(objectives[k]);
        }
        bool is_whole = trial->n_constraints == e->n_constraints;
        struct kd_measured measured = {.objectives = counts ? objectives : NULL,
                                       .constraints = is_whole ? trial->excess : NULL};
        kd_history_finish_measured(history, number, counts ? KD_COMPLETE : KD_INFEASIBLE, measured);
    }
    free(objectives);
}

/* The objectives of some trials as rows of costs. */
static struct kd_costs costs_of(const struct kd_history *history, const int *numbers, int n,
                                double *rows)
{
    int m = history->n_objectives;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < m; k++)
            rows[i * m + k] = kd_observation_objective(&history->trials[numbers[i]], k);
    return (struct kd_costs){.n = n, .m = m, .rows = rows};
}

/* Of everything that was measured, so that it does not move with the front alone. */
static void find_reference(const struct kd_history *history, double *rows, double *reference)
{
    int n = 0, *numbers = KD_NEW_ARRAY(int, (size_t)history->n + 1);
    for (int i = 0; i < history->n; i++)
        if (kd_observation_has_objective(&history->trials[i]))
            numbers[n++] = i;
    struct kd_costs costs = costs_of(history, numbers, n, rows);
    if (n > 0)
        kd_pareto_reference(&costs, reference);
    free(numbers);
}

void kd_front_find(const struct kd_experiment_info *e, const struct kd_trial_info *trials, int n,
                   struct kd_front *front)
{
    struct kd_space space = {0};
    struct kd_history history;
    int m = e->n_objectives;
    kd_history_init(&history, &space);
    history.n_objectives = m;
    history.n_constraints = e->n_constraints;
    fill_history(&history, e, trials, n);
    double *rows = KD_NEW_ARRAY(double, (size_t)n *(size_t)m + 1);
    *front = (struct kd_front){.trials = KD_NEW_ARRAY(int, (size_t)n + 1),
                               .reference = KD_NEW_ARRAY(double, (size_t)m)};
    front->n = kd_history_front(&history, front->trials);
    find_reference(&history, rows, front->reference);
    struct kd_costs costs = costs_of(&history, front->trials, front->n, rows);
    front->hypervolume = kd_hypervolume(costs.rows, costs.n, m, front->reference);
    for (int k = 0; k < m; k++)
        front->reference[k] = flip(e, k, front->reference[k]);
    free(rows);
    kd_history_release(&history);
}

void kd_front_release(struct kd_front *front)
{
    free(front->trials);
    free(front->reference);
    *front = (struct kd_front){0};
}

static const char *metric_of(const struct kd_experiment_info *e, int objective)
{
    const char *metric = e->objectives[objective].metric;
    return metric ? metric : "objective";
}

void kd_front_write_objectives(struct kd_json *json, const struct kd_experiment_info *e,
                               const struct kd_trial_info *trial)
{
    for (int k = 0; k < trial->n_objectives && k < e->n_objectives; k++)
        kd_json_add_number(json, metric_of(e, k), trial->objectives[k]);
}

void kd_front_write_params(struct kd_json *json, const struct kd_trial_info *trial)
{
    for (int i = 0; i < trial->n_params; i++)
        if (trial->params[i].is_text)
            kd_json_add_string(json, trial->params[i].name, trial->params[i].text);
        else
            kd_json_add_raw(json, trial->params[i].name, trial->params[i].text);
}

static void write_member(struct kd_json *json, const struct kd_experiment_info *e,
                         const struct kd_trial_info *trial)
{
    kd_json_open(json, '{');
    kd_json_add_int(json, "trial", trial->number);
    kd_json_key(json, "objectives");
    kd_json_open(json, '{');
    kd_front_write_objectives(json, e, trial);
    kd_json_close(json, '}');
    kd_json_key(json, "parameters");
    kd_json_open(json, '{');
    kd_front_write_params(json, trial);
    kd_json_close(json, '}');
    kd_json_close(json, '}');
}

void kd_front_write(struct kd_json *json, const struct kd_experiment_info *e,
                    const struct kd_trial_info *trials, const struct kd_front *front)
{
    kd_json_key(json, "objectives");
    kd_json_open(json, '[');
    for (int k = 0; k < e->n_objectives; k++) {
        kd_json_open(json, '{');
        kd_json_add_string(json, "metric", e->objectives[k].metric);
        kd_json_add_string(json, "type", e->objectives[k].maximize ? "maximize" : "minimize");
        kd_json_close(json, '}');
    }
    kd_json_close(json, ']');
    kd_json_key(json, "front");
    kd_json_open(json, '[');
    for (int i = 0; i < front->n; i++)
        write_member(json, e, &trials[front->trials[i]]);
    kd_json_close(json, ']');
    kd_json_add_number(json, "hypervolume", front->hypervolume);
    kd_json_key(json, "reference");
    kd_json_open(json, '{');
    for (int k = 0; k < e->n_objectives; k++)
        kd_json_add_number(json, metric_of(e, k), front->reference[k]);
    kd_json_close(json, '}');
}

char *kd_front_text(const struct kd_experiment_info *e, const struct kd_front *front)
{
    struct kd_str text = {0};
    kd_str_addf(&text, "%d trial%s", front->n, front->n == 1 ? "" : "s");
    if (front->n > 0)
        kd_str_addf(&text, ", hypervolume %.6g before", front->hypervolume);
    for (int k = 0; k < e->n_objectives && front->n > 0; k++)
        kd_str_addf(&text, "%s %s = %.6g", k ? "," : "", metric_of(e, k), front->reference[k]);
    return kd_str_take(&text);
}
