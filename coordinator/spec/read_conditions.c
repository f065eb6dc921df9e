/* read_conditions.c - `condition: {parameter: opt, in: [sgd]}`: when a parameter is active. Read
 * when all parameters are known, since the parent may stand anywhere. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/read.h"

static bool is_listed(const struct kd_condition *condition, double value)
{
    for (int i = 0; i < condition->n_values; i++)
        if (condition->values[i] == value)
            return true;
    return false;
}

static int add_value(struct kd_reader *reader, const struct kd_yaml *item,
                     const struct kd_param *parent, struct kd_condition *condition)
{
    double value;
    struct kd_error err;
    const char *text = kd_yaml_text(reader, item);
    if (text == NULL)
        return -1;
    if (kd_param_parse(parent, text, &value, &err) != 0) {
        kd_found_error(reader->findings, item->mark, "condition: %s", err.text);
        return -1;
    }
    if (is_listed(condition, value)) {
        kd_found_error(reader->findings, item->mark, "condition: %s is there twice", text);
        return -1;
    }
    condition->values[condition->n_values++] = value;
    return 0;
}

static int read_values(struct kd_reader *reader, const struct kd_yaml *list,
                       const struct kd_param *parent, struct kd_condition *condition)
{
    int bad = 0;
    if (isinf(kd_param_count(parent)))
        return 0; /* found by kd_space_check */
    if (list->children.n == 0) {
        kd_found_error(reader->findings, list->mark,
                       "condition: in is empty: list the values of %s that activate the parameter",
                       parent->name);
        return -1;
    }
    for (size_t i = 0; i < list->children.n; i++)
        bad |= add_value(reader, list->children.items[i], parent, condition);
    return bad;
}

/* The parameter's condition, or NULL and findings. */
static struct kd_condition *read_condition(struct kd_reader *reader, const struct kd_yaml *node,
                                           const struct kd_space *space, const bool *is_sound)
{
    static const struct kd_field fields[] = {
        {"parameter", NULL, 0, KD_FIELD_REQUIRED},
        {"in", NULL, 0, KD_FIELD_REQUIRED},
        {0},
    };
    kd_fields_read(reader, node, fields, "condition", NULL);
    const struct kd_yaml *name = kd_yaml_get(node, "parameter"), *list = kd_yaml_get(node, "in");
    bool is_readable = list && kd_yaml_expect_list(reader, list, "in");
    if (name == NULL || kd_yaml_text(reader, name) == NULL || !is_readable)
        return NULL;
    int parent = kd_space_find(space, name->text);
    if (parent < 0) {
        kd_found_unknown_parameter(reader, name->mark, "condition", name->text, space);
        return NULL;
    }
    struct kd_condition *condition = KD_NEW(struct kd_condition);
    condition->parent = parent;
    condition->values = KD_NEW_ARRAY(double, list->children.n + 1);
    if (is_sound[parent] && read_values(reader, list, &space->params[parent], condition) == 0)
        return condition;
    free(condition->values);
    free(condition);
    return NULL;
}

/* kd_space_check begins its text with the parameter's name. */
static void report_check(struct kd_reader *reader, const struct kd_yaml *list,
                         const struct kd_space *space, const char *text)
{
    struct kd_mark mark = list->key_mark;
    for (int i = 0; i < space->n_params; i++) {
        size_t length = strlen(space->params[i].name);
        const struct kd_yaml *its = kd_yaml_at(list->children.items[i], "condition.parameter");
        if (its && strncmp(text, space->params[i].name, length) == 0 && text[length] == ':')
            mark = its->mark;
    }
    kd_found_error(reader->findings, mark, "%s", text);
}

void kd_read_conditions(struct kd_reader *reader, const struct kd_yaml *list,
                        struct kd_space *space, const bool *is_sound)
{
    struct kd_error err;
    int n_before = reader->findings->n_errors;
    bool is_whole = true;
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_yaml *node = kd_yaml_get(list->children.items[i], "condition");
        if (node)
            space->params[i].condition = read_condition(reader, node, space, is_sound);
        is_whole = is_whole && is_sound[i];
    }
    bool is_good = is_whole && reader->findings->n_errors == n_before;
    if (is_good && kd_space_check(space, &err) != 0)
        report_check(reader, list, space, err.text);
}
