/* read_algorithm.c - which strategy and which stopper, with their settings. What they are called
 * and take is theirs to say (search/); here is only where in the file it stands. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/read.h"
#include "search/pair.h"

/* Our own form may leave the algorithm out; this serves every space. */
#define DEFAULT_ALGORITHM "auto"

/* Points come from a process on the bus; the strategy in its place is never asked. */
#define EXTERNAL "external"

enum { MOST_NAMES = 64 };

/* Where an algorithm's settings go: to the strategy, and to the stopper of a pair (NULL = there is
 * none). */
struct tables {
    struct kd_settings *strategy, *stopper;
};

static size_t count_declared(const struct kd_setting *declared)
{
    size_t n = 0;
    while (declared && declared[n].name)
        n++;
    return n;
}

/* -1 and a text that lists what both halves of a pair take. */
static int unknown_in_both(const struct tables *tables, const char *key, const char *text,
                           struct kd_error *err)
{
    const struct kd_setting *ours = tables->strategy->declared, *its = tables->stopper->declared;
    size_t n = count_declared(ours), m = count_declared(its);
    struct kd_setting *both = KD_NEW_ARRAY(struct kd_setting, n + m + 1);
    for (size_t i = 0; i < n; i++)
        both[i] = ours[i];
    for (size_t i = 0; i < m; i++)
        if (!kd_settings_has(tables->strategy, its[i].name))
            both[n++] = its[i];
    struct kd_settings joined;
    kd_settings_init(&joined, both);
    kd_settings_set(&joined, key, text, err);
    kd_settings_release(&joined);
    free(both);
    return -1;
}

/* A name that both halves know (random_state) is meant for both. */
static int set(const struct tables *tables, const char *key, const char *text, struct kd_error *err)
{
    if (tables->stopper == NULL)
        return kd_settings_set(tables->strategy, key, text, err);
    bool in_strategy = kd_settings_has(tables->strategy, key);
    bool in_stopper = kd_settings_has(tables->stopper, key);
    if (!in_strategy && !in_stopper)
        return unknown_in_both(tables, key, text, err);
    if (in_strategy && kd_settings_set(tables->strategy, key, text, err) != 0)
        return -1;
    return in_stopper ? kd_settings_set(tables->stopper, key, text, err) : 0;
}

static bool is_given(const struct tables *tables, const char *key)
{
    return kd_settings_given(tables->strategy, key) ||
           (tables->stopper && kd_settings_given(tables->stopper, key));
}

static void read_setting(struct kd_reader *reader, const struct kd_yaml *item,
                         const struct tables *tables)
{
    static const struct kd_field fields[] = {
        {"name", NULL, 0, KD_FIELD_REQUIRED},
        {"value", NULL, 0, KD_FIELD_REQUIRED},
        {0},
    };
    kd_fields_read(reader, item, fields, "algorithmSettings", NULL);
    const struct kd_yaml *name = kd_yaml_get(item, "name"), *value = kd_yaml_get(item, "value");
    const char *key = name ? kd_yaml_text(reader, name) : NULL;
    const char *text = value ? kd_yaml_text(reader, value) : NULL;
    struct kd_error err;
    if (key && is_given(tables, key))
        kd_found_error(reader->findings, name->mark, "the setting %s is given twice", key);
    else if (key && text && set(tables, key, text, &err) != 0)
        kd_found_error(reader->findings, strstr(err.text, "unknown") ? name->mark : value->mark,
                       "%s", err.text);
}

static void read_settings(struct kd_reader *reader, const struct kd_yaml *node,
                          struct tables tables)
{
    const struct kd_yaml *list = kd_yaml_get(node, "algorithmSettings");
    if (list == NULL || !kd_yaml_expect_list(reader, list, "algorithmSettings"))
        return;
    for (size_t i = 0; i < list->children.n; i++)
        read_setting(reader, list->children.items[i], &tables);
}

/* required: KD_FIELD_REQUIRED or 0. */
static const struct kd_yaml *read_name(struct kd_reader *reader, const struct kd_yaml *node,
                                       const char *where, unsigned required)
{
    const struct kd_field fields[] = {
        {"algorithmName", NULL, 0, required},
        {"algorithmSettings", NULL, 0, 0},
        {0},
    };
    kd_fields_read(reader, node, fields, where, NULL);
    const struct kd_yaml *name = kd_yaml_get(node, "algorithmName");
    return name && kd_yaml_text(reader, name) ? name : NULL;
}

static void unknown_name(struct kd_reader *reader, const struct kd_yaml *name, const char *what,
                         const char *planned, const char *const *names)
{
    if (planned) {
        kd_found_error(reader->findings, name->mark, "%s \"%s\" (%s) is not supported yet", what,
                       name->text, planned);
        return;
    }
    char *hint = kd_suggestion(name->text, names);
    kd_found_error(reader->findings, name->mark, "unknown %s \"%s\"%s", what, name->text, hint);
    free(hint);
}

static void unknown_strategy(struct kd_reader *reader, const struct kd_yaml *name)
{
    const char *names[MOST_NAMES + 1] = {0};
    int n = 0;
    for (int i = 0; kd_strategies[i] && n < MOST_NAMES; i++)
        names[n++] = kd_strategies[i]->name;
    for (int i = 0; kd_pairs[i].name && n < MOST_NAMES; i++)
        names[n++] = kd_pairs[i].name;
    if (n < MOST_NAMES)
        names[n] = EXTERNAL;
    unknown_name(reader, name, "algorithm", kd_strategy_planned(name->text), names);
}

static void unknown_stopper(struct kd_reader *reader, const struct kd_yaml *name)
{
    const char *names[MOST_NAMES + 1] = {0};
    for (int i = 0; i < MOST_NAMES && kd_stoppers[i]; i++)
        names[i] = kd_stoppers[i]->name;
    unknown_name(reader, name, "early stopping algorithm", kd_stopper_planned(name->text), names);
}

/* Where the setting stands that a text like "gamma: ..." is about, among those of a node; else the
 * mark itself. */
static struct kd_mark blamed(const struct kd_yaml *node, struct kd_mark mark, const char *text)
{
    const struct kd_yaml *list = kd_yaml_get(node, "algorithmSettings");
    size_t length = strcspn(text, ":");
    for (size_t i = 0; list && i < list->children.n; i++) {
        const struct kd_yaml *name = kd_yaml_get(list->children.items[i], "name");
        const struct kd_yaml *value = kd_yaml_get(list->children.items[i], "value");
        if (name && value && name->text && strlen(name->text) == length &&
            strncasecmp(name->text, text, length) == 0)
            return value->mark;
    }
    return mark;
}

/* The strategy's own check of task and settings together; a space that was refused already is not
 * asked about. */
static void try_strategy(struct kd_reader *reader, const struct kd_yaml *node, struct kd_mark mark)
{
    struct kd_error err = {{0}};
    if (reader->findings->n_errors > 0)
        return;
    struct kd_sampler *sampler = kd_experiment_sampler(reader->experiment, &err);
    if (sampler == NULL)
        kd_found_error(reader->findings, blamed(node, mark, err.text), "%s", err.text);
    kd_sampler_free(sampler);
}

static void check_resource(struct kd_reader *reader, const struct kd_yaml *node,
                           struct kd_mark mark)
{
    static const char name[] = "resource_name";
    const struct kd_experiment *experiment = reader->experiment;
    const struct kd_settings *settings = &experiment->stopper_settings;
    if (!kd_settings_has(settings, name) || !kd_settings_given(settings, name) ||
        kd_experiment_resource(experiment) >= 0)
        return;
    kd_found_error(reader->findings, blamed(node, mark, name),
                   "%s: there is no parameter \"%s\"; name the one that tells a trial how far to "
                   "train, or leave the setting out",
                   name, kd_settings_text(settings, name));
}

static void try_stopper(struct kd_reader *reader, const struct kd_yaml *node, struct kd_mark mark)
{
    struct kd_error err = {{0}};
    struct kd_scheduler *scheduler = kd_experiment_scheduler(reader->experiment, &err);
    if (scheduler == NULL)
        kd_found_error(reader->findings, blamed(node, mark, err.text), "%s", err.text);
    else
        check_resource(reader, node, mark);
    kd_scheduler_free(scheduler);
}

static void missing_algorithm(struct kd_reader *reader)
{
    const struct kd_yaml *spec = kd_yaml_get(reader->root, "spec");
    if (reader->experiment->is_katib)
        kd_found_error(reader->findings, spec->key_mark, "spec: \"algorithm\" is missing");
}

/* Fills strategy and settings by the name, and the stopper of a pair. -1: there is no such name. */
static int choose(struct kd_experiment *experiment)
{
    const struct kd_pair *pair = kd_pair_find(experiment->algorithm);
    experiment->is_external = strcmp(experiment->algorithm, EXTERNAL) == 0;
    experiment->strategy =
        pair ? pair->strategy
             : kd_strategy_find(experiment->is_external ? "random" : experiment->algorithm);
    if (experiment->strategy == NULL)
        return -1;
    kd_settings_init(&experiment->strategy_settings, experiment->is_external
                                                         ? kd_external_settings
                                                         : experiment->strategy->settings);
    experiment->stopper = pair ? pair->stopper : NULL;
    if (pair)
        kd_settings_init(&experiment->stopper_settings, pair->stopper->settings);
    return 0;
}

void kd_read_algorithm(struct kd_reader *reader, const struct kd_yaml *node)
{
    struct kd_experiment *experiment = reader->experiment;
    unsigned required = experiment->is_katib ? KD_FIELD_REQUIRED : 0;
    const struct kd_yaml *name = node ? read_name(reader, node, "spec.algorithm", required) : NULL;
    if (node == NULL)
        missing_algorithm(reader);
    if (name == NULL && (experiment->is_katib || kd_yaml_get(node, "algorithmName")))
        return;
    experiment->algorithm = kd_strdup(name ? name->text : DEFAULT_ALGORITHM);
    if (choose(experiment) != 0) {
        if (name)
            unknown_strategy(reader, name);
        return;
    }
    bool is_pair = experiment->stopper != NULL;
    struct tables tables = {&experiment->strategy_settings,
                            is_pair ? &experiment->stopper_settings : NULL};
    if (node)
        read_settings(reader, node, tables);
    if (experiment->is_external)
        experiment->external_deadline_s =
            kd_settings_number(&experiment->strategy_settings, "deadline");
    const struct kd_yaml *spec = kd_yaml_get(reader->root, "spec");
    struct kd_mark mark = name ? name->mark : spec->key_mark;
    try_strategy(reader, node, mark);
    if (is_pair && reader->findings->n_errors == 0)
        try_stopper(reader, node, mark);
}

void kd_read_stopper(struct kd_reader *reader, const struct kd_yaml *node)
{
    struct kd_experiment *experiment = reader->experiment;
    const struct kd_yaml *name =
        node ? read_name(reader, node, "spec.earlyStopping", KD_FIELD_REQUIRED) : NULL;
    if (name == NULL)
        return;
    if (experiment->stopper) {
        kd_found_error(reader->findings, name->mark,
                       "the algorithm %s is %s with the stopper %s, which decides itself which "
                       "trials go on: leave earlyStopping out, or name the algorithm %s",
                       experiment->algorithm, experiment->strategy->name, experiment->stopper->name,
                       experiment->strategy->name);
        return;
    }
    experiment->stopper = kd_stopper_find(name->text);
    if (experiment->stopper == NULL) {
        unknown_stopper(reader, name);
        return;
    }
    int n_before = reader->findings->n_errors;
    kd_settings_init(&experiment->stopper_settings, experiment->stopper->settings);
    read_settings(reader, node, (struct tables){&experiment->stopper_settings, NULL});
    if (reader->findings->n_errors == n_before)
        try_stopper(reader, node, name->mark);
}
