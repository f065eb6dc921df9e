#include "coordinator/event.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/bus/message.h"
#include "coordinator/links.h"

static const char *const event_names[] = {
#define X(id, name, text) name,
    KD_EVENTS(X)
#undef X
};

static const struct {
    const char *name;
    bool kept;
} actions[] = {
#define X(id, name, kept) {name, kept},
    KD_ACTIONS(X)
#undef X
};

const char *kd_event_name(enum kd_event_kind kind)
{
    return event_names[kind];
}

int kd_event_find(const char *name)
{
    for (int i = 0; i < KD_N_EVENTS; i++)
        if (strcmp(event_names[i], name) == 0)
            return i;
    return -1;
}

const char *kd_action_name(enum kd_action_kind kind)
{
    return actions[kind].name;
}

bool kd_action_is_kept(enum kd_action_kind kind)
{
    return actions[kind].kept;
}

char *kd_action_to_json(const struct kd_action *action)
{
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    if (action->gang)
        kd_json_add_int(&j, "gang", action->gang);
    if (action->fence)
        kd_json_add_int(&j, "fence", action->fence);
    if (action->trial >= 0)
        kd_json_add_int(&j, "trial", action->trial);
    if (action->n)
        kd_json_add_int(&j, "n", action->n);
    if (action->kind == KD_DO_CLONE)
        kd_json_add_int(&j, "parent", action->parent);
    if (action->step)
        kd_json_add_int(&j, "step", action->step);
    kd_json_close(&j, '}');
    return kd_str_take(&text);
}

/* The integer fields of an event, one table for writing and reading. */
#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct kd_event, name), sizeof(((struct kd_event *)0)->name)               \
    }
static const struct {
    const char *name;
    size_t offset, size;
} integers[] = {
    FIELD(gang),       FIELD(fence),      FIELD(n_gpus),      FIELD(n_cpus),      FIELD(parallel),
    FIELD(max_trials), FIELD(max_failed), FIELD(max_retries), FIELD(memory),      FIELD(next_fence),
    FIELD(next_gang),  FIELD(n),          FIELD(seq),         FIELD(log_offset),  FIELD(first_row),
    FIELD(last_row),   FIELD(step),       FIELD(exit_code),   FIELD(exit_signal), FIELD(gpu),
    FIELD(xid),
};

static int64_t get_integer(const struct kd_event *event, size_t i)
{
    const char *at = (const char *)event + integers[i].offset;
    int64_t wide;
    int narrow;
    if (integers[i].size == sizeof wide) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

static void set_integer(struct kd_event *event, size_t i, int64_t value)
{
    char *at = (char *)event + integers[i].offset;
    int narrow = (int)value;
    if (integers[i].size == sizeof value)
        memcpy(at, &value, sizeof value);
    else
        memcpy(at, &narrow, sizeof narrow);
}

/* The spans of time, in seconds; 0 = none. */
static const struct {
    const char *name;
    size_t offset;
} times[] = {
    {"trial_time_s", offsetof(struct kd_event, trial_time_s)},
    {"wall_time_s", offsetof(struct kd_event, wall_time_s)},
    {"grace_s", offsetof(struct kd_event, grace_s)},
};

static double *time_of(struct kd_event *event, size_t i)
{
    return (double *)(void *)((char *)event + times[i].offset);
}

static void add_values(struct kd_json *j, const struct kd_event *event, int n_params)
{
    kd_json_key(j, "values");
    kd_json_open(j, '[');
    for (int i = 0; i < event->n * n_params; i++)
        kd_json_number(j, event->values[i]);
    kd_json_close(j, ']');
}

static void add_tree(struct kd_json *j, const char *name, const json_t *tree)
{
    if (tree == NULL)
        return;
    char *text = json_dumps(tree, JSON_COMPACT);
    kd_json_add_raw(j, name, text);
    free(text);
}

char *kd_event_to_json(const struct kd_event *event, int n_params)
{
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    for (size_t i = 0; i < KD_COUNT(integers); i++)
        if (get_integer(event, i) != 0)
            kd_json_add_int(&j, integers[i].name, get_integer(event, i));
    if (event->is_of_use)
        kd_json_add_int(&j, "of_use", 1);
    if (event->has_goal)
        kd_json_add_number(&j, "goal", event->goal);
    for (size_t i = 0; i < KD_COUNT(times); i++)
        if (*time_of((struct kd_event *)event, i) > 0)
            kd_json_add_number(&j, times[i].name, *time_of((struct kd_event *)event, i));
    if (event->kind == KD_EVENT_SUGGESTED)
        add_values(&j, event, n_params);
    add_tree(&j, "priors", event->priors);
    add_tree(&j, "links", event->links);
    if (event->outcome)
        kd_json_add_string(&j, "outcome", event->outcome);
    if (event->uuid)
        kd_json_add_string(&j, "uuid", event->uuid);
    if (event->text)
        kd_json_add_string(&j, "text", event->text);
    if (event->kind == KD_EVENT_GANG_ENDED)
        kd_json_add_int(&j, "end", event->end);
    kd_json_close(&j, '}');
    return kd_str_take(&text);
}

static int read_values(const json_t *body, int n, double **values, struct kd_error *err)
{
    const json_t *list = json_object_get(body, "values");
    if ((int)json_array_size(list) != n)
        return kd_fail(err, "the journal's suggestion has %d values, not %d",
                       (int)json_array_size(list), n);
    *values = KD_NEW_ARRAY(double, (size_t)n);
    for (int i = 0; i < n; i++)
        if (!kd_json_to_number(json_array_get(list, (size_t)i), &(*values)[i]))
            return kd_fail(err, "value %d of the journal's suggestion is no number", i);
    return 0;
}

static int read_links(const json_t *body, struct kd_event *event, struct kd_error *err)
{
    struct kd_links links;
    event->links = json_object_get(body, "links");
    return kd_links_from_json(event->links, event->n_gpus, &links, err);
}

int kd_event_from_json(const char *kind, double at, const char *text, int n_params,
                       struct kd_event *event, json_t **body, double **values, struct kd_error *err)
{
    *values = NULL;
    *body = json_loads(text, 0, NULL);
    int found = kd_event_find(kind);
    if (found < 0 || !json_is_object(*body))
        return kd_fail(err, "the journal has an event '%s' that this katydid does not know", kind);
    *event = (struct kd_event){.kind = (enum kd_event_kind)found, .at = at};
    for (size_t i = 0; i < KD_COUNT(integers); i++) {
        int64_t value = 0;
        kd_body_int(*body, integers[i].name, &value);
        set_integer(event, i, value);
    }
    event->has_goal = kd_body_number(*body, "goal", &event->goal);
    for (size_t i = 0; i < KD_COUNT(times); i++)
        kd_body_number(*body, times[i].name, time_of(event, i));
    int64_t of_use = 0;
    kd_body_int(*body, "of_use", &of_use);
    event->is_of_use = of_use != 0;
    kd_body_text(*body, "outcome", &event->outcome);
    kd_body_text(*body, "uuid", &event->uuid);
    kd_body_text(*body, "text", &event->text);
    event->priors = json_object_get(*body, "priors");
    int64_t end = 0;
    kd_body_int(*body, "end", &end);
    if (end < 0 || end >= KD_N_GANG_ENDS)
        return kd_fail(err, "the journal has a gang that ended in way %d, which is none", (int)end);
    event->end = (enum kd_gang_end)end;
    if (read_links(*body, event, err) != 0)
        return -1;
    if (event->kind != KD_EVENT_SUGGESTED)
        return 0;
    if (read_values(*body, event->n * n_params, values, err) != 0)
        return -1;
    event->values = *values;
    return 0;
}
