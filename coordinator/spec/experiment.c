/* experiment.c - letting go of an experiment. Filling one is read_*.c. */
#include "coordinator/spec/experiment.h"

#include <stdlib.h>

const struct kd_setting kd_external_settings[] = {
    {"deadline", KD_SETTING_NUMBER, "60", 0.1, 86400, NULL, "seconds that a point may take"},
    {0},
};

static void release_texts(char **texts, int n)
{
    for (int i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

static void release_objective(struct kd_objective *objective)
{
    free(objective->metric);
    release_texts(objective->additional, objective->n_additional);
}

static void release_search(struct kd_experiment *experiment)
{
    for (int i = 0; i < experiment->n_more_objectives; i++)
        free(experiment->more_objectives[i].metric);
    for (int i = 0; i < experiment->n_constraints; i++)
        free(experiment->constraints[i].metric);
    free(experiment->more_objectives);
    free(experiment->constraints);
    free(experiment->enqueued);
    free(experiment->warm_start.experiment);
    kd_settings_release(&experiment->strategy_settings);
    kd_settings_release(&experiment->stopper_settings);
    free(experiment->algorithm);
}

static void release_template(struct kd_template *template)
{
    for (char **arg = template->argv; arg && *arg; arg++)
        free(*arg);
    free(template->argv);
    for (int i = 0; i < template->n_env; i++) {
        free(template->env[i].name);
        free(template->env[i].value);
    }
    free(template->env);
    for (int i = 0; i < template->n_trial_parameters; i++) {
        free(template->trial_parameters[i].name);
        free(template->trial_parameters[i].reference);
    }
    free(template->trial_parameters);
    release_texts(template->collector.filters, template->collector.n_filters);
    free(template->collector.file);
    free(template->checkpoint.dir);
    free(template->working_dir);
    free(template->params_file);
    free(template->image);
    json_decref(template->trainer);
    json_decref(template->job);
}

void kd_experiment_release(struct kd_experiment *experiment)
{
    release_objective(&experiment->objective);
    release_search(experiment);
    release_template(&experiment->template);
    kd_space_release(&experiment->space);
    free(experiment->canonical);
    free(experiment->base_dir);
    free(experiment->text);
    free(experiment->file);
    free(experiment->name);
    *experiment = (struct kd_experiment){0};
}

struct kd_task kd_experiment_task(const struct kd_experiment *experiment)
{
    return (struct kd_task){.space = &experiment->space,
                            .n_objectives = kd_experiment_n_objectives(experiment),
                            .n_constraints = experiment->n_constraints,
                            .maximize = experiment->objective.maximize,
                            .fidelity_max = (int64_t)experiment->fidelity_max};
}

int kd_experiment_n_objectives(const struct kd_experiment *experiment)
{
    return 1 + experiment->n_more_objectives;
}

const char *kd_experiment_metric(const struct kd_experiment *experiment, int i)
{
    return i == 0 ? experiment->objective.metric : experiment->more_objectives[i - 1].metric;
}

bool kd_experiment_maximizes(const struct kd_experiment *experiment, int i)
{
    return i == 0 ? experiment->objective.maximize : experiment->more_objectives[i - 1].maximize;
}

double kd_experiment_flip(const struct kd_experiment *experiment, int i, double value)
{
    return kd_experiment_maximizes(experiment, i) ? -value : value;
}

enum kd_metric_pick kd_experiment_pick(const struct kd_experiment *experiment, int i)
{
    return i == 0 ? experiment->objective.pick : experiment->more_objectives[i - 1].pick;
}

double kd_constraint_excess(const struct kd_constraint *constraint, double measured)
{
    return constraint->is_max ? measured - constraint->bound : constraint->bound - measured;
}

struct kd_sampler *kd_experiment_sampler(const struct kd_experiment *experiment,
                                         struct kd_error *err)
{
    struct kd_task task = kd_experiment_task(experiment);
    struct kd_sampler *sampler = kd_sampler_new(
        experiment->strategy, &task, &experiment->strategy_settings, experiment->seed, err);
    if (sampler && experiment->n_enqueued > 0)
        kd_sampler_enqueue(sampler, experiment->enqueued, experiment->n_enqueued);
    return sampler;
}

struct kd_scheduler *kd_experiment_scheduler(const struct kd_experiment *experiment,
                                             struct kd_error *err)
{
    struct kd_task task = kd_experiment_task(experiment);
    return kd_scheduler_new(experiment->stopper, &task, &experiment->stopper_settings,
                            experiment->seed, err);
}

void kd_experiment_history(const struct kd_experiment *experiment, struct kd_history *history)
{
    struct kd_task task = kd_experiment_task(experiment);
    kd_history_init(history, task.space);
    history->n_objectives = task.n_objectives;
    history->n_constraints = task.n_constraints;
}

int kd_experiment_resource(const struct kd_experiment *experiment)
{
    static const char name[] = "resource_name";
    const struct kd_settings *settings = &experiment->stopper_settings;
    if (experiment->stopper == NULL || !kd_settings_has(settings, name) ||
        !kd_settings_given(settings, name))
        return -1;
    return kd_space_find(&experiment->space, kd_settings_text(settings, name));
}
