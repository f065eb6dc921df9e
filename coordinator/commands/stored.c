#include "coordinator/commands/stored.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/spec_read.h"
#include "coordinator/store/query.h"

int kd_stored_read(struct kd_store *store, const char *name, struct kd_stored *stored,
                   struct kd_error *err)
{
    struct kd_problems problems = {0};
    struct kd_spec_options options = {0};
    *stored = (struct kd_stored){0};
    struct kd_experiment_row *row = &stored->row;
    int found = kd_store_find_experiment(store, name, row, err);
    if (found != 1)
        return found < 0 ? -1 : kd_fail(err, "there is no experiment '%s'", name);
    int result = kd_spec_read_text(row->spec, strlen(row->spec), row->file, row->base_dir, &options,
                                   &stored->experiment, &problems);
    if (result != 0) {
        kd_fail(err, "the stored spec of '%s' does not read any more: %s", name,
                problems.n > 0 ? problems.items[0].text : "");
        kd_experiment_row_release(row);
    }
    kd_problems_release(&problems);
    return result;
}

void kd_stored_release(struct kd_stored *stored)
{
    kd_experiment_release(&stored->experiment);
    kd_experiment_row_release(&stored->row);
}

/* ---- trials ---- */

/* What the row lacks was inactive. */
static int read_values(const struct kd_space *space, const struct kd_trial_info *trial,
                       double *values, struct kd_error *err)
{
    for (int i = 0; i < space->n_params; i++)
        values[i] = NAN;
    for (int i = 0; i < trial->n_params; i++) {
        int at = kd_space_find(space, trial->params[i].name);
        if (at < 0)
            return kd_fail(err, "trial %d has a parameter %s, which the spec does not have",
                           trial->number, trial->params[i].name);
        if (kd_param_parse(&space->params[at], trial->params[i].text, &values[at], err) != 0)
            return kd_error_prefix(err, "trial %d", trial->number);
    }
    return 0;
}

static bool is_measured(const struct kd_experiment *experiment, const struct kd_trial_info *trial)
{
    int n = kd_experiment_n_objectives(experiment);
    bool is_finite = trial->n_objectives == n;
    for (int i = 0; is_finite && i < n; i++)
        is_finite = isfinite(trial->objectives[i]);
    return is_finite;
}

static enum kd_outcome outcome_of(const struct kd_experiment *experiment,
                                  const struct kd_trial_info *trial)
{
    if (trial->state == KD_TRIAL_EARLY_STOPPED || trial->state == KD_TRIAL_KILLED)
        return KD_PRUNED;
    bool counts = trial->state == KD_TRIAL_SUCCEEDED && is_measured(experiment, trial);
    return counts ? KD_COMPLETE : KD_INFEASIBLE;
}

static void finish(const struct kd_experiment *experiment, const struct kd_trial_info *trial,
                   struct kd_history *history)
{
    int n = kd_experiment_n_objectives(experiment);
    double *objectives = KD_NEW_ARRAY(double, (size_t)n);
    bool has_all = trial->n_objectives == n;
    for (int i = 0; has_all && i < n; i++)
        objectives[i] = kd_experiment_flip(experiment, i, trial->objectives[i]);
    bool has_constraints = trial->n_constraints == experiment->n_constraints;
    struct kd_measured measured = {has_all ? objectives : NULL,
                                   has_constraints ? trial->excess : NULL};
    kd_history_finish_measured(history, trial->number, outcome_of(experiment, trial), measured);
    free(objectives);
}

static int add_trials(const struct kd_experiment *experiment, const struct kd_trial_info *trials,
                      int n, struct kd_history *history, struct kd_error *err)
{
    double *values = KD_NEW_ARRAY(double, (size_t)experiment->space.n_params + 1);
    int result = 0;
    for (int i = 0; i < n && result == 0; i++) {
        result = trials[i].number == i ? read_values(&experiment->space, &trials[i], values, err)
                                       : kd_fail(err, "there is no trial %d: katydid fsck", i);
        if (result != 0)
            break;
        kd_history_add(history, values);
        if (kd_trial_is_terminal(trials[i].state))
            finish(experiment, &trials[i], history);
    }
    free(values);
    return result;
}

int kd_stored_history(struct kd_store *store, const struct kd_stored *stored,
                      struct kd_history *history, struct kd_error *err)
{
    struct kd_trial_info *trials;
    int n, result = kd_query_trials(store, stored->row.id, -1, &trials, &n, err);
    kd_experiment_history(&stored->experiment, history);
    if (result == 0)
        result = add_trials(&stored->experiment, trials, n, history, err);
    kd_trial_infos_free(trials, n);
    if (result != 0)
        kd_history_release(history);
    return result;
}
