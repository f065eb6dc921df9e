#include "coordinator/commands/status_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/table.h"
#include "coordinator/commands/view.h"

/* Katib's key for the list of a state's trials, and for its count; Paused is ours. */
static const struct {
    enum kd_trial_state state;
    const char *list, *count;
} keys[] = {
    {KD_TRIAL_PENDING, "pendingTrialList", "trialsPending"},
    {KD_TRIAL_RUNNING, "runningTrialList", "trialsRunning"},
    {KD_TRIAL_PAUSED, "pausedTrialList", "trialsPaused"},
    {KD_TRIAL_SUCCEEDED, "succeededTrialList", "trialsSucceeded"},
    {KD_TRIAL_EARLY_STOPPED, "earlyStoppedTrialList", "trialsEarlyStopped"},
    {KD_TRIAL_FAILED, "failedTrialList", "trialsFailed"},
    {KD_TRIAL_KILLED, "killedTrialList", "trialsKilled"},
    {KD_TRIAL_METRICS_UNAVAILABLE, "metricsUnavailableTrialList", "trialMetricsUnavailable"},
};

static void add_time(struct kd_json *json, const char *key, double seconds)
{
    char buffer[32];
    kd_json_add_string(json, key, seconds > 0 ? kd_time_text(seconds, buffer) : NULL);
}

/* "ExperimentGoalReached: accuracy 0.99 in trial 7" is Katib's reason and its message. */
static void add_reason(struct kd_json *json, const char *reason)
{
    const char *colon = reason == NULL ? NULL : strstr(reason, ": ");
    char *word = colon == NULL ? kd_strdup(reason) : kd_strndup(reason, (size_t)(colon - reason));
    kd_json_add_string(json, "reason", word);
    kd_json_add_string(json, "message", colon == NULL ? "" : colon + 2);
    free(word);
}

static void add_condition(struct kd_json *json, const char *type, bool holds, const char *reason,
                          double at)
{
    kd_json_open(json, '{');
    kd_json_add_string(json, "type", type);
    kd_json_add_string(json, "status", holds ? "True" : "False");
    add_reason(json, reason);
    add_time(json, "lastTransitionTime", at);
    kd_json_close(json, '}');
}

/* As Katib appends them: Created, Running, and one for how it ended, which turns Running to
 * False. */
static void add_conditions(struct kd_json *json, const struct kd_experiment_info *e)
{
    bool is_created = strcmp(e->state, "Created") == 0,
         is_running = strcmp(e->state, "Running") == 0;
    kd_json_key(json, "conditions");
    kd_json_open(json, '[');
    add_condition(json, "Created", true, "ExperimentCreated", e->created_at);
    if (!is_created)
        add_condition(json, "Running", is_running, is_running ? e->reason : "ExperimentRunning",
                      is_running ? e->created_at : e->finished_at);
    if (!is_created && !is_running)
        add_condition(json, e->state, true, e->reason, e->finished_at);
    kd_json_close(json, ']');
}

static void add_number_text(struct kd_json *json, const char *key, double value)
{
    char buffer[KD_NUMBER_MAX];
    kd_json_add_string(json, key, kd_number_text(value, buffer));
}

static void add_known(struct kd_json *json, const char *key, double value)
{
    if (!isnan(value))
        kd_json_add_number(json, key, value);
}

static void add_gpu(struct kd_json *json, const struct kd_attempt_gpu_info *gpu)
{
    kd_json_open(json, '{');
    kd_json_add_int(json, "attempt", gpu->attempt);
    kd_json_add_int(json, "gpu", gpu->gpu);
    kd_json_add_string(json, "uuid", gpu->uuid);
    add_known(json, "seconds", gpu->used.seconds);
    if (gpu->used.memory_peak_bytes >= 0)
        kd_json_add_int(json, "memoryPeakBytes", gpu->used.memory_peak_bytes);
    add_known(json, "utilizationMeanPercent", gpu->used.percent_mean);
    add_known(json, "utilizationPeakPercent", gpu->used.percent_peak);
    add_known(json, "temperaturePeakCelsius", gpu->used.celsius_peak);
    add_known(json, "energyJoules", gpu->used.joules);
    kd_json_close(json, '}');
}

/* Nothing of a trial without GPUs. */
static void add_gpus(struct kd_json *json, const struct kd_status *status)
{
    if (status->best->n_gpus == 0)
        return;
    kd_json_key(json, "gpus");
    kd_json_open(json, '[');
    for (int i = 0; i < status->n_gpus; i++)
        if (status->gpus[i].number == status->best->number)
            add_gpu(json, &status->gpus[i]);
    kd_json_close(json, ']');
}

static void add_failures(struct kd_json *json, const struct kd_status *status)
{
    if (status->n_failures == 0)
        return;
    kd_json_key(json, "gpuFailures");
    kd_json_open(json, '[');
    for (int i = 0; i < status->n_failures; i++) {
        const struct kd_gpu_failure *failure = &status->failures[i];
        kd_json_open(json, '{');
        add_time(json, "time", failure->at);
        kd_json_add_string(json, "uuid", failure->uuid);
        if (failure->xid != 0)
            kd_json_add_int(json, "xid", failure->xid);
        kd_json_add_string(json, "drained", failure->is_of_use ? "False" : "True");
        kd_json_add_string(json, "message", failure->text);
        kd_json_close(json, '}');
    }
    kd_json_close(json, ']');
}

double kd_status_joules(const struct kd_status *status)
{
    double sum = NAN;
    for (int i = 0; i < status->n_gpus; i++) {
        double joules = status->gpus[i].used.joules;
        if (!isnan(joules))
            sum = isnan(sum) ? joules : sum + joules;
    }
    return sum;
}

/* Katib's values are strings, also the numbers. */
static void add_best(struct kd_json *json, const struct kd_status *status)
{
    char *name = kd_trial_name(status->experiment->name, status->best->number);
    kd_json_key(json, "currentOptimalTrial");
    kd_json_open(json, '{');
    kd_json_add_string(json, "bestTrialName", name);
    kd_json_key(json, "parameterAssignments");
    kd_json_open(json, '[');
    for (int i = 0; i < status->best->n_params; i++) {
        kd_json_open(json, '{');
        kd_json_add_string(json, "name", status->best->params[i].name);
        kd_json_add_string(json, "value", status->best->params[i].text);
        kd_json_close(json, '}');
    }
    kd_json_close(json, ']');
    kd_json_key(json, "observation");
    kd_json_open(json, '{');
    kd_json_key(json, "metrics");
    kd_json_open(json, '[');
    for (int i = 0; i < status->n_metrics; i++) {
        kd_json_open(json, '{');
        kd_json_add_string(json, "name", status->metrics[i].name);
        add_number_text(json, "min", status->metrics[i].min);
        add_number_text(json, "max", status->metrics[i].max);
        add_number_text(json, "latest", status->metrics[i].latest);
        kd_json_close(json, '}');
    }
    kd_json_close(json, ']');
    kd_json_close(json, '}');
    add_gpus(json, status);
    kd_json_close(json, '}');
    free(name);
}

static void add_counts(struct kd_json *json, const struct kd_experiment_info *e)
{
    kd_json_add_int(json, "trials", e->n_trials);
    for (size_t i = 0; i < KD_COUNT(keys); i++)
        kd_json_add_int(json, keys[i].count, e->counts[keys[i].state]);
}

static void add_lists(struct kd_json *json, const struct kd_status *status)
{
    for (size_t i = 0; i < KD_COUNT(keys); i++) {
        kd_json_key(json, keys[i].list);
        kd_json_open(json, '[');
        for (int t = 0; t < status->n_trials; t++)
            if (status->trials[t].state == keys[i].state) {
                char *name = kd_trial_name(status->experiment->name, status->trials[t].number);
                kd_json_string(json, name);
                free(name);
            }
        kd_json_close(json, ']');
    }
}

void kd_status_print_json(const struct kd_status *status, FILE *out)
{
    struct kd_str text = {0};
    struct kd_json json = kd_json_to(&text);
    const struct kd_experiment_info *e = status->experiment;
    kd_json_open(&json, '{');
    kd_json_add_int(&json, "schema", KD_JSON_SCHEMA);
    kd_json_add_string(&json, "experiment", e->name);
    kd_json_add_string(&json, "state", e->state);
    kd_json_add_string(&json, "reason", e->reason);
    kd_json_add_string(&json, "file", e->file);
    kd_json_add_string(&json, "metric", e->metric);
    kd_json_add_string(&json, "type", e->maximize ? "maximize" : "minimize");
    kd_json_key(&json, "status");
    kd_json_open(&json, '{');
    add_time(&json, "startTime", e->created_at);
    add_time(&json, "completionTime", e->finished_at);
    add_conditions(&json, e);
    if (status->best != NULL)
        add_best(&json, status);
    if (status->front != NULL)
        kd_front_write(&json, e, status->trials, status->front);
    add_known(&json, "gpuEnergyJoules", kd_status_joules(status));
    add_failures(&json, status);
    add_counts(&json, e);
    add_lists(&json, status);
    kd_json_close(&json, '}');
    kd_json_close(&json, '}');
    fprintf(out, "%s\n", kd_str_text(&text));
    kd_str_release(&text);
}
