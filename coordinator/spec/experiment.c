/* experiment.c - letting go of an experiment. Filling one is read_*.c. */
#include "coordinator/spec/experiment.h"

#include <stdlib.h>

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
    release_template(&experiment->template);
    kd_settings_release(&experiment->strategy_settings);
    kd_settings_release(&experiment->stopper_settings);
    kd_space_release(&experiment->space);
    free(experiment->algorithm);
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
                            .n_objectives = 1,
                            .maximize = experiment->objective.maximize,
                            .fidelity_max = (int64_t)experiment->fidelity_max};
}

struct kd_sampler *kd_experiment_sampler(const struct kd_experiment *experiment,
                                         struct kd_error *err)
{
    struct kd_task task = kd_experiment_task(experiment);
    return kd_sampler_new(experiment->strategy, &task, &experiment->strategy_settings,
                          experiment->seed, err);
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
