/* read_algorithm.c - which strategy and which stopper, with their settings. What they are called and take is theirs
 * to say (search/); here is only where in the file it stands. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/read.h"

/* Our own form may leave the algorithm out; this serves every space. */
#define DEFAULT_ALGORITHM "tpe"

enum { MOST_NAMES = 64 };

static void read_setting(struct kd_reader *reader, const struct kd_node *item,
                         struct kd_settings *settings)
{
    static const struct kd_field fields[] = {
        {"name", NULL, 0, KD_FIELD_REQUIRED},
        {"value", NULL, 0, KD_FIELD_REQUIRED},
        {0},
    };
    kd_fields_read(reader, item, fields, "algorithmSettings", NULL);
    const struct kd_node *name = kd_node_get(item, "name"), *value = kd_node_get(item, "value");
    const char *key = name ? kd_node_text(reader, name) : NULL;
    const char *text = value ? kd_node_text(reader, value) : NULL;
    struct kd_error err;
    if (key && text && kd_settings_set(settings, key, text, &err) != 0)
        kd_found_error(reader->findings, strstr(err.text, "unknown") ? name->mark : value->mark,
                       "%s", err.text);
}

static void read_settings(struct kd_reader *reader, const struct kd_node *node,
                          struct kd_settings *settings)
{
    const struct kd_node *list = kd_node_get(node, "algorithmSettings");
    if (list == NULL || !kd_node_expect_list(reader, list, "algorithmSettings"))
        return;
    for (size_t i = 0; i < list->children.n; i++)
        read_setting(reader, list->children.items[i], settings);
}

/* required: KD_FIELD_REQUIRED or 0. */
static const struct kd_node *read_name(struct kd_reader *reader, const struct kd_node *node,
                                       const char *where, unsigned required)
{
    const struct kd_field fields[] = {
        {"algorithmName", NULL, 0, required},
        {"algorithmSettings", NULL, 0, 0},
        {0},
    };
    kd_fields_read(reader, node, fields, where, NULL);
    const struct kd_node *name = kd_node_get(node, "algorithmName");
    return name && kd_node_text(reader, name) ? name : NULL;
}

static void unknown_name(struct kd_reader *reader, const struct kd_node *name, const char *what,
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

static void unknown_strategy(struct kd_reader *reader, const struct kd_node *name)
{
    const char *names[MOST_NAMES + 1] = {0};
    for (int i = 0; i < MOST_NAMES && kd_strategies[i]; i++)
        names[i] = kd_strategies[i]->name;
    unknown_name(reader, name, "algorithm", kd_strategy_planned(name->text), names);
}

static void unknown_stopper(struct kd_reader *reader, const struct kd_node *name)
{
    const char *names[MOST_NAMES + 1] = {0};
    for (int i = 0; i < MOST_NAMES && kd_stoppers[i]; i++)
        names[i] = kd_stoppers[i]->name;
    unknown_name(reader, name, "early stopping algorithm", kd_stopper_planned(name->text), names);
}

/* The strategy's own check of problem and settings together; a space that was refused already is not asked about. */
static void try_strategy(struct kd_reader *reader, struct kd_mark mark)
{
    struct kd_error err = {{0}};
    if (reader->findings->n_errors > 0)
        return;
    struct kd_sampler *sampler = kd_experiment_sampler(reader->experiment, &err);
    if (sampler == NULL)
        kd_found_error(reader->findings, mark, "%s", err.text);
    kd_sampler_free(sampler);
}

static void try_stopper(struct kd_reader *reader, struct kd_mark mark)
{
    struct kd_error err = {{0}};
    struct kd_scheduler *scheduler = kd_experiment_scheduler(reader->experiment, &err);
    if (scheduler == NULL)
        kd_found_error(reader->findings, mark, "%s", err.text);
    kd_scheduler_free(scheduler);
}

static void missing_algorithm(struct kd_reader *reader)
{
    const struct kd_node *spec = kd_node_get(reader->root, "spec");
    if (reader->experiment->is_katib)
        kd_found_error(reader->findings, spec->key_mark, "spec: \"algorithm\" is missing");
}

void kd_read_algorithm(struct kd_reader *reader, const struct kd_node *node)
{
    struct kd_experiment *experiment = reader->experiment;
    unsigned required = experiment->is_katib ? KD_FIELD_REQUIRED : 0;
    const struct kd_node *name = node ? read_name(reader, node, "spec.algorithm", required) : NULL;
    if (node == NULL)
        missing_algorithm(reader);
    if (name == NULL && (experiment->is_katib || kd_node_get(node, "algorithmName")))
        return;
    experiment->algorithm = kd_strdup(name ? name->text : DEFAULT_ALGORITHM);
    experiment->strategy = kd_strategy_find(experiment->algorithm);
    if (experiment->strategy == NULL) {
        if (name)
            unknown_strategy(reader, name);
        return;
    }
    kd_settings_init(&experiment->strategy_settings, experiment->strategy->settings);
    if (node)
        read_settings(reader, node, &experiment->strategy_settings);
    const struct kd_node *spec = kd_node_get(reader->root, "spec");
    try_strategy(reader, name ? name->mark : spec->key_mark);
}

void kd_read_stopper(struct kd_reader *reader, const struct kd_node *node)
{
    struct kd_experiment *experiment = reader->experiment;
    const struct kd_node *name =
        node ? read_name(reader, node, "spec.earlyStopping", KD_FIELD_REQUIRED) : NULL;
    if (name == NULL)
        return;
    experiment->stopper = kd_stopper_find(name->text);
    if (experiment->stopper == NULL) {
        unknown_stopper(reader, name);
        return;
    }
    int n_before = reader->findings->n_errors;
    kd_settings_init(&experiment->stopper_settings, experiment->stopper->settings);
    read_settings(reader, node, &experiment->stopper_settings);
    if (reader->findings->n_errors == n_before)
        try_stopper(reader, name->mark);
}
