/* read_objectives.c - ours: several objectives, and constraints on what is measured. All their
 * metrics are listened to, so each is also one of the first objective's additional ones. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/read.h"

struct draft {
    const struct kd_yaml *type, *metric, *pick;
};

static void keep_node(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    (void)reader;
    *(const struct kd_yaml **)target = value;
}

static void refuse_goal(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    (void)target;
    kd_found_error(reader->findings, value->key_mark,
                   "a goal belongs to one objective: with several there is a front of best trials, "
                   "and maxTrialCount or limits.wallTime ends the search");
}

static const struct kd_field objective_fields[] = {
    {"type", keep_node, offsetof(struct draft, type), KD_FIELD_REQUIRED},
    {"metric", keep_node, offsetof(struct draft, metric), KD_FIELD_REQUIRED},
    {"pick", keep_node, offsetof(struct draft, pick), 0},
    {"goal", refuse_goal, 0, 0},
    {0},
};

static bool is_objective(const struct kd_experiment *experiment, int n, const char *metric)
{
    for (int i = 0; i < n; i++) {
        const char *other = kd_experiment_metric(experiment, i);
        if (other && strcmp(other, metric) == 0)
            return true;
    }
    return false;
}

/* The name of a metric, or NULL and a finding. */
static const char *metric_of(struct kd_reader *reader, const struct kd_yaml *value)
{
    const char *name = value ? kd_yaml_text(reader, value) : NULL;
    if (name == NULL || *name != '\0')
        return name;
    kd_found_error(reader->findings, value->mark, "an empty metric name");
    return NULL;
}

static void read_one(struct kd_reader *reader, const struct kd_yaml *item, int at,
                     struct kd_more_objective *into)
{
    struct draft draft = {0};
    kd_fields_read(reader, item, objective_fields, "objectives", &draft);
    const char *metric = metric_of(reader, draft.metric);
    if (draft.type)
        kd_read_direction(reader, draft.type, &into->maximize, &into->pick);
    int pick = draft.pick ? kd_read_pick(reader, draft.pick) : -1;
    if (pick >= 0)
        into->pick = (enum kd_metric_pick)pick;
    if (metric && is_objective(reader->experiment, at, metric))
        kd_found_error(reader->findings, draft.metric->mark,
                       "the metric %s is an objective already: list each once", metric);
    into->metric = metric ? kd_strdup(metric) : NULL;
}

static void set_first(struct kd_objective *first, struct kd_more_objective *from)
{
    first->maximize = from->maximize;
    first->pick = from->pick;
    first->metric = from->metric;
}

void kd_read_objectives(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    struct kd_experiment *experiment = target;
    if (kd_yaml_get(kd_yaml_get(reader->root, "spec"), "objective")) {
        kd_found_error(reader->findings, value->key_mark,
                       "\"objective\" and \"objectives\": give one of them");
        return;
    }
    if (!kd_yaml_expect_list(reader, value, "objectives"))
        return;
    if (value->children.n < 2) {
        kd_found_error(reader->findings, value->key_mark,
                       "objectives needs two at least; one alone is objective: {type, "
                       "objectiveMetricName}");
        return;
    }
    experiment->more_objectives = KD_NEW_ARRAY(struct kd_more_objective, value->children.n);
    struct kd_more_objective first = {0};
    read_one(reader, value->children.items[0], 0, &first);
    set_first(&experiment->objective, &first);
    for (size_t i = 1; i < value->children.n; i++) {
        struct kd_more_objective *next = &experiment->more_objectives[i - 1];
        read_one(reader, value->children.items[i], (int)i, next);
        experiment->n_more_objectives++;
        if (next->metric)
            kd_objective_also(&experiment->objective, next->metric);
    }
}

static void read_constraint(struct kd_reader *reader, const struct kd_yaml *item,
                            struct kd_experiment *experiment)
{
    static const struct kd_field fields[] = {
        {"metric", NULL, 0, KD_FIELD_REQUIRED},
        {"max", NULL, 0, 0},
        {"min", NULL, 0, 0},
        {0},
    };
    kd_fields_read(reader, item, fields, "constraints", NULL);
    const struct kd_yaml *max = kd_yaml_get(item, "max"), *min = kd_yaml_get(item, "min");
    const char *metric = metric_of(reader, kd_yaml_get(item, "metric"));
    if (item->kind != KD_NODE_MAP)
        return;
    if ((max == NULL) == (min == NULL)) {
        kd_found_error(reader->findings, item->mark,
                       "a constraint has one bound, %s: {metric: latency_ms, max: 20}",
                       max ? "not both max and min; write two constraints" : "max or min");
        return;
    }
    struct kd_constraint constraint = {.is_max = max != NULL};
    if (metric == NULL || kd_yaml_number(reader, max ? max : min, &constraint.bound) != 0)
        return;
    for (int i = 0; i < experiment->n_constraints; i++)
        if (experiment->constraints[i].is_max == constraint.is_max &&
            strcmp(experiment->constraints[i].metric, metric) == 0)
            kd_found_error(reader->findings, item->mark, "%s has a %s already", metric,
                           max ? "max" : "min");
    constraint.metric = kd_strdup(metric);
    experiment->constraints[experiment->n_constraints++] = constraint;
    kd_objective_also(&experiment->objective, metric);
}

void kd_read_constraints(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    struct kd_experiment *experiment = target;
    if (!kd_yaml_expect_list(reader, value, "constraints"))
        return;
    if (value->children.n == 0)
        kd_found_error(reader->findings, value->mark,
                       "constraints is empty: leave it out, or name a metric and its bound");
    experiment->constraints = KD_NEW_ARRAY(struct kd_constraint, value->children.n + 1);
    for (size_t i = 0; i < value->children.n; i++)
        read_constraint(reader, value->children.items[i], experiment);
}
