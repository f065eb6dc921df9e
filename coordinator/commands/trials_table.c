#include "coordinator/commands/trials_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/view.h"

/* Mean load and greatest memory and temperature of the trial's GPUs, and their energy together. */
static const char *const gpu_columns[] = {"gpu_percent", "gpu_gib", "gpu_celsius", "joules"};

/* ---- columns ---- */

static int first_param(const struct kd_experiment_info *experiment)
{
    return KD_TRIALS_OBJECTIVE + experiment->n_objectives;
}

/* Of an experiment whose trials pause or are cloned. No parameter bears the name of a column of
 * ours. */
static bool has_schedule(const struct kd_table *table)
{
    return kd_table_find_column(table, "until") >= 0;
}

/* Of an experiment whose trials hold GPUs: how many columns. */
static int n_gpu_columns(const struct kd_table *table)
{
    return kd_table_find_column(table, gpu_columns[0]) >= 0 ? (int)KD_COUNT(gpu_columns) : 0;
}

static int n_after_params(const struct kd_table *table, const struct kd_experiment_info *experiment)
{
    return 2 + 2 * has_schedule(table) + (experiment->n_constraints > 0) + n_gpu_columns(table);
}

static bool is_taken(const struct kd_table *table, const char *name)
{
    static const char *const later[] = {"until", "parent", "feasible", "seconds", "reason"};
    for (size_t i = 0; i < KD_COUNT(later); i++)
        if (strcmp(name, later[i]) == 0)
            return true;
    for (size_t i = 0; i < KD_COUNT(gpu_columns); i++)
        if (strcmp(name, gpu_columns[i]) == 0)
            return true;
    return kd_table_find_column(table, name) >= 0;
}

/* A parameter may bear the name of a column of ours; JSON keys must differ. */
static char *param_title(const struct kd_table *ours, const char *name)
{
    return kd_format("%s%s", is_taken(ours, name) ? "parameters." : "", name);
}

static void add_own_columns(struct kd_table *table, const struct kd_experiment_info *experiment)
{
    kd_table_column(table, "trial");
    kd_table_column(table, "state");
    for (int i = 0; i < experiment->n_objectives; i++) {
        const char *metric = experiment->objectives[i].metric;
        kd_table_column(table, metric ? metric : "objective");
    }
}

/* The union of the trials' parameters in the order in which they appear: a conditional one may be
 * missing in the first trial. */
static void add_param_columns(struct kd_table *table, const struct kd_experiment_info *experiment,
                              const struct kd_trial_info *trials, int n)
{
    struct kd_table ours = {0};
    add_own_columns(&ours, experiment);
    for (int t = 0; t < n; t++)
        for (int p = 0; p < trials[t].n_params; p++) {
            char *title = param_title(&ours, trials[t].params[p].name);
            if (kd_table_find_column(table, title) < 0)
                kd_table_column(table, title);
            free(title);
        }
    kd_table_release(&ours);
}

static void add_schedule_columns(struct kd_table *table, const struct kd_trial_info *trials, int n)
{
    bool any = false;
    for (int i = 0; i < n; i++)
        any = any || trials[i].until > 0 || trials[i].parent >= 0;
    if (!any)
        return;
    kd_table_column(table, "until");
    kd_table_column(table, "parent");
}

static bool is_measured(const struct kd_trial_info *trial)
{
    const struct kd_gpu_total *used = &trial->gpus;
    return trial->n_gpus > 0 && (used->memory_peak_bytes >= 0 || !isnan(used->percent_mean) ||
                                 !isnan(used->celsius_peak) || !isnan(used->joules));
}

static void add_gpu_columns(struct kd_table *table, const struct kd_trial_info *trials, int n)
{
    bool any = false;
    for (int i = 0; i < n; i++)
        any = any || is_measured(&trials[i]);
    for (size_t i = 0; i < KD_COUNT(gpu_columns) && any; i++)
        kd_table_column(table, gpu_columns[i]);
}

void kd_trials_table(struct kd_table *table, const struct kd_experiment_info *experiment,
                     const struct kd_trial_info *trials, int n)
{
    add_own_columns(table, experiment);
    add_param_columns(table, experiment, trials, n);
    add_schedule_columns(table, trials, n);
    if (experiment->n_constraints > 0)
        kd_table_column(table, "feasible");
    add_gpu_columns(table, trials, n);
    kd_table_column(table, "seconds");
    kd_table_column(table, "reason");
}

/* ---- rows ---- */

static void add_param_cell(struct kd_table *table, const struct kd_param_value *value)
{
    double number;
    long long integer;
    if (value == NULL)
        kd_table_none(table);
    else if (value->is_text)
        kd_table_text(table, value->text);
    else if (kd_integer_parse(value->text, &integer) == 0)
        kd_table_int(table, integer);
    else if (kd_number_parse(value->text, &number) == 0)
        kd_table_number(table, number);
    else
        kd_table_text(table, value->text);
}

/* The trial's value of the parameter whose column bears this title. */
static const struct kd_param_value *value_of(const struct kd_trial_info *trial, const char *title)
{
    static const char prefix[] = "parameters.";
    const struct kd_param_value *prefixed = NULL;
    for (int i = 0; i < trial->n_params; i++) {
        const char *name = trial->params[i].name;
        if (strcmp(name, title) == 0)
            return &trial->params[i];
        if (strncmp(title, prefix, strlen(prefix)) == 0 &&
            strcmp(name, title + strlen(prefix)) == 0)
            prefixed = &trial->params[i];
    }
    return prefixed;
}

static void add_feasible_cell(struct kd_table *table, const struct kd_trial_info *trial)
{
    if (trial->n_constraints == 0) {
        kd_table_none(table);
        return;
    }
    kd_table_text(table, trial->is_feasible ? "yes" : "no");
    kd_table_style(table, trial->is_feasible ? KD_STYLE_GOOD : KD_STYLE_WARN);
}

/* A whole trial has no `until`. */
static void add_schedule_cells(struct kd_table *table, const struct kd_trial_info *trial)
{
    if (trial->until > 0)
        kd_table_int(table, trial->until);
    else
        kd_table_none(table);
    if (trial->parent >= 0)
        kd_table_int(table, trial->parent);
    else
        kd_table_none(table);
}

void kd_gpu_cells(struct kd_table *table, const struct kd_gpu_total *used)
{
    double gib = used->memory_peak_bytes < 0 ? NAN : (double)used->memory_peak_bytes / (1 << 30);
    const double values[] = {used->percent_mean, gib, used->celsius_peak, used->joules};
    for (size_t i = 0; i < KD_COUNT(values); i++)
        if (isnan(values[i]))
            kd_table_none(table);
        else
            kd_table_number(table, round(values[i] * 1000) / 1000);
}

static void add_gpu_cells(struct kd_table *table, const struct kd_trial_info *trial)
{
    static const struct kd_gpu_total none = {
        .percent_mean = NAN, .memory_peak_bytes = -1, .celsius_peak = NAN, .joules = NAN};
    kd_gpu_cells(table, trial->n_gpus > 0 ? &trial->gpus : &none);
}

void kd_trials_table_row(struct kd_table *table, const struct kd_experiment_info *experiment,
                         const struct kd_trial_info *trial)
{
    int end = table->n_columns - n_after_params(table, experiment);
    kd_table_int(table, trial->number);
    kd_table_text(table, kd_trial_state_name(trial->state));
    kd_table_style(table, kd_state_style(trial->state));
    for (int i = 0; i < experiment->n_objectives; i++)
        if (i < trial->n_objectives)
            kd_table_number(table, trial->objectives[i]);
        else
            kd_table_none(table);
    for (int column = first_param(experiment); column < end; column++)
        add_param_cell(table, value_of(trial, table->columns[column]));
    if (has_schedule(table))
        add_schedule_cells(table, trial);
    if (experiment->n_constraints > 0)
        add_feasible_cell(table, trial);
    if (n_gpu_columns(table) > 0)
        add_gpu_cells(table, trial);
    if (trial->finished_at > 0 && trial->started_at > 0)
        kd_table_number(
            table, (double)(int64_t)((trial->finished_at - trial->started_at) * 1000 + 0.5) / 1000);
    else
        kd_table_none(table);
    kd_table_text(table, trial->reason);
}
