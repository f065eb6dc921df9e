/* read_objective.c - what is measured and in which direction better lies. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/read.h"

static const char *const directions[] = {"minimize", "maximize", NULL};
static const char *const picks[] = {"min", "max", "latest", NULL}; /* enum kd_metric_pick */

void kd_read_direction(struct kd_reader *reader, const struct kd_yaml *value, bool *maximize,
                       enum kd_metric_pick *pick)
{
    *maximize = kd_yaml_choice(reader, value, "objective type", directions) == 1;
    *pick = *maximize ? KD_PICK_MAX : KD_PICK_MIN;
}

int kd_read_pick(struct kd_reader *reader, const struct kd_yaml *value)
{
    return kd_yaml_choice(reader, value, "metric strategy", picks);
}

static void read_type(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    struct kd_objective *objective = target;
    kd_read_direction(reader, value, &objective->maximize, &objective->pick);
}

static void read_goal(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    struct kd_objective *objective = target;
    objective->has_goal = kd_yaml_number(reader, value, &objective->goal) == 0;
}

static bool is_named(const struct kd_objective *objective, const char *name)
{
    if (objective->metric && strcmp(objective->metric, name) == 0)
        return true;
    for (int i = 0; i < objective->n_additional; i++)
        if (strcmp(objective->additional[i], name) == 0)
            return true;
    return false;
}

void kd_objective_also(struct kd_objective *objective, const char *metric)
{
    if (is_named(objective, metric))
        return;
    objective->additional = kd_realloc_array(
        objective->additional, (size_t)objective->n_additional + 1, sizeof *objective->additional);
    objective->additional[objective->n_additional++] = kd_strdup(metric);
}

static void read_additional(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    struct kd_objective *objective = target;
    if (!kd_yaml_expect_list(reader, value, "additionalMetricNames"))
        return;
    for (size_t i = 0; i < value->children.n; i++) {
        const struct kd_yaml *item = value->children.items[i];
        const char *name = kd_yaml_text(reader, item);
        if (name && *name == '\0')
            kd_found_error(reader->findings, item->mark, "an empty metric name");
        else if (name && is_named(objective, name))
            kd_found_error(reader->findings, item->mark,
                           "the metric %s is named already: list each once, and not the objective",
                           name);
        else if (name)
            kd_objective_also(objective, name);
    }
}

static void read_strategy(struct kd_reader *reader, const struct kd_yaml *item,
                          struct kd_objective *objective)
{
    static const struct kd_field fields[] = {
        {"name", NULL, 0, KD_FIELD_REQUIRED},
        {"value", NULL, 0, KD_FIELD_REQUIRED},
        {0},
    };
    kd_fields_read(reader, item, fields, "metricStrategies", NULL);
    const struct kd_yaml *name = kd_yaml_get(item, "name"), *value = kd_yaml_get(item, "value");
    int pick = value ? kd_read_pick(reader, value) : -1;
    if (name == NULL || name->text == NULL || pick < 0)
        return;
    if (!is_named(objective, name->text))
        kd_found_error(reader->findings, name->mark,
                       "metricStrategies: %s is neither the objective nor an additional metric",
                       name->text);
    else if (objective->metric && strcmp(name->text, objective->metric) == 0)
        objective->pick = (enum kd_metric_pick)pick;
}

static void read_strategies(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    if (!kd_yaml_expect_list(reader, value, "metricStrategies"))
        return;
    for (size_t i = 0; i < value->children.n; i++)
        read_strategy(reader, value->children.items[i], target);
}

/* The metrics' names first: the strategies must name one of them, wherever they stand. */
void kd_read_objective(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"type", read_type, 0, KD_FIELD_REQUIRED},
        {"goal", read_goal, 0, 0},
        {"objectiveMetricName", kd_read_text, offsetof(struct kd_objective, metric),
         KD_FIELD_REQUIRED},
        {"additionalMetricNames", NULL, 0, 0},
        {"metricStrategies", NULL, 0, 0},
        {0},
    };
    kd_fields_read(reader, value, fields, "spec.objective", target);
    const struct kd_yaml *additional = kd_yaml_get(value, "additionalMetricNames");
    const struct kd_yaml *strategies = kd_yaml_get(value, "metricStrategies");
    if (additional)
        read_additional(reader, additional, target);
    if (strategies)
        read_strategies(reader, strategies, target);
}
