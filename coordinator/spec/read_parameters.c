/* read_parameters.c - the search space. What makes a parameter sound is kd_param_check's to say. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/placeholders.h"
#include "coordinator/spec/read.h"

static const char *const types[] = {"double", "int", "discrete", "categorical", NULL};
static const char *const distributions[] = {"uniform", "logUniform", "normal", "logNormal", NULL};

/* A parameter being read; -1 for a type or distribution that was not understood. */
struct draft {
    struct kd_param param;
    int type, distribution;
    const struct kd_yaml *node, *min, *max, *step, *list;
};

static void read_type(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    ((struct draft *)target)->type = kd_yaml_choice(reader, value, "parameterType", types);
}

static void read_distribution(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    int distribution = kd_yaml_choice(reader, value, "distribution", distributions);
    ((struct draft *)target)->distribution = distribution;
}

static void keep_node(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    (void)reader;
    *(const struct kd_yaml **)target = value;
}

static void read_space(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"min", keep_node, offsetof(struct draft, min), 0},
        {"max", keep_node, offsetof(struct draft, max), 0},
        {"step", keep_node, offsetof(struct draft, step), 0},
        {"list", keep_node, offsetof(struct draft, list), 0},
        {"distribution", read_distribution, 0, 0},
        {0},
    };
    kd_fields_read(reader, value, fields, "feasibleSpace", target);
}

static const struct kd_field parameter_fields[] = {
    {"name", kd_read_text, offsetof(struct draft, param.name), KD_FIELD_REQUIRED},
    {"parameterType", read_type, 0, KD_FIELD_REQUIRED},
    {"feasibleSpace", read_space, 0, KD_FIELD_REQUIRED},
    {"condition", NULL, 0, KD_FIELD_OURS}, /* when all parameters are known */
    {0},
};

static bool is_list_type(const struct draft *draft)
{
    return draft->type == KD_PARAM_DISCRETE || draft->type == KD_PARAM_CATEGORICAL;
}

static void forbid(struct kd_reader *reader, const struct draft *draft, const struct kd_yaml *node)
{
    if (node)
        kd_found_error(reader->findings, node->key_mark, "the type %s takes no \"%s\": %s",
                       types[draft->type], node->key,
                       is_list_type(draft) ? "name its values in \"list\"" : "give min and max");
}

static int read_bound(struct kd_reader *reader, const struct draft *draft, const char *name,
                      const struct kd_yaml *node, double *value)
{
    if (node)
        return kd_yaml_number(reader, node, value);
    const struct kd_yaml *space = kd_yaml_get(draft->node, "feasibleSpace");
    kd_found_error(reader->findings, space->key_mark,
                   "feasibleSpace: \"%s\" is missing: the type %s needs min and max", name,
                   types[draft->type]);
    return -1;
}

static int read_range(struct kd_reader *reader, struct draft *draft)
{
    struct kd_param *param = &draft->param;
    forbid(reader, draft, draft->list);
    int bad = draft->list ? -1 : 0;
    bad |= read_bound(reader, draft, "min", draft->min, &param->min);
    bad |= read_bound(reader, draft, "max", draft->max, &param->max);
    if (draft->step)
        bad |= kd_yaml_number(reader, draft->step, &param->step);
    if (draft->step && !bad && param->step <= 0) {
        kd_found_error(reader->findings, draft->step->mark, "step must be above 0, not %s",
                       draft->step->text);
        bad = -1;
    }
    return bad;
}

/* Katib's own hyperband example gives min 1 and max 1 to what the algorithm sets: a list of one
 * value. */
static void fix_value(struct draft *draft)
{
    struct kd_param *param = &draft->param;
    param->type = KD_PARAM_DISCRETE;
    param->values = KD_NEW_ARRAY(double, 1);
    param->choices = KD_NEW_ARRAY(char *, 1);
    param->values[0] = param->min;
    param->choices[0] = kd_strdup(draft->min->text);
    param->n_choices = 1;
}

static int add_choice(struct kd_reader *reader, struct draft *draft, const struct kd_yaml *item)
{
    struct kd_param *param = &draft->param;
    if (!kd_yaml_is_scalar(item) || item->kind == KD_NODE_NULL) {
        kd_found_error(reader->findings, item->mark,
                       "a value of the list must be a text or a "
                       "number, not %s",
                       kd_yaml_kind_name(item));
        return -1;
    }
    if (draft->type == KD_PARAM_DISCRETE &&
        kd_yaml_number(reader, item, &param->values[param->n_choices]) != 0)
        return -1;
    param->choices[param->n_choices++] = kd_strdup(item->text);
    return 0;
}

static int read_choices(struct kd_reader *reader, struct draft *draft)
{
    struct kd_param *param = &draft->param;
    forbid(reader, draft, draft->min);
    forbid(reader, draft, draft->max);
    forbid(reader, draft, draft->step);
    int bad = draft->min || draft->max || draft->step ? -1 : 0;
    if (draft->list == NULL) {
        kd_found_error(reader->findings, kd_yaml_get(draft->node, "feasibleSpace")->key_mark,
                       "feasibleSpace: \"list\" is missing: the type %s needs its values",
                       types[draft->type]);
        return -1;
    }
    if (!kd_yaml_expect(reader, draft->list, KD_NODE_LIST, "list"))
        return -1;
    size_t n = draft->list->children.n;
    param->choices = KD_NEW_ARRAY(char *, n + 1);
    if (draft->type == KD_PARAM_DISCRETE)
        param->values = KD_NEW_ARRAY(double, n + 1);
    for (size_t i = 0; i < n; i++)
        bad |= add_choice(reader, draft, draft->list->children.items[i]);
    return bad;
}

/* kd_param_check names the field it complains of: "feasibleSpace.min: ...". */
static void report_check(struct kd_reader *reader, const struct draft *draft, const char *text)
{
    const struct kd_yaml *space = kd_yaml_get(draft->node, "feasibleSpace"), *field = NULL;
    const char *name = strchr(text, '.'), *colon = strchr(text, ':');
    if (name && colon && name < colon) {
        char *key = kd_strndup(name + 1, (size_t)(colon - name - 1));
        field = kd_yaml_get(space, key);
        free(key);
    }
    kd_found_error(reader->findings, field ? field->mark : space->key_mark, "%s: %s",
                   draft->param.name ? draft->param.name : "parameter", text);
}

static void check_name(struct kd_reader *reader, const struct draft *draft, size_t at,
                       const struct kd_yaml *list)
{
    const struct kd_yaml *name = kd_yaml_get(draft->node, "name");
    const char *text = draft->param.name;
    if (text == NULL)
        return;
    if (strpbrk(text, "{}$=\"'\\ \t\r\n") || text[0] == '-')
        kd_found_error(reader->findings, name->mark,
                       "the parameter name \"%s\" may not start with "
                       "- nor hold blanks, quotes, { } $ = \\",
                       text);
    if (!reader->experiment->is_katib && kd_placeholder_is_builtin(text))
        kd_found_error(reader->findings, name->mark,
                       "the name %s is taken: ${%s} has a meaning "
                       "of its own",
                       text, text);
    int first = kd_yaml_named_at(list, text);
    if (first >= 0 && (size_t)first < at) {
        const struct kd_yaml *before = kd_yaml_get(list->children.items[first], "name");
        kd_found_error(reader->findings, name->mark,
                       "the parameter %s is there twice: first in "
                       "line %d, column %d",
                       text, before->mark.line, before->mark.column);
    }
}

static void add_parameter(struct kd_space *space, struct kd_param *param)
{
    space->params =
        kd_realloc_array(space->params, (size_t)space->n_params + 1, sizeof *space->params);
    space->params[space->n_params++] = *param;
}

/* Is what it may take understood and sound? */
static bool read_parameter(struct kd_reader *reader, const struct kd_yaml *list, size_t at,
                           struct kd_space *space)
{
    struct draft draft = {.type = -1, .node = list->children.items[at]};
    kd_fields_read(reader, draft.node, parameter_fields, "parameters", &draft);
    check_name(reader, &draft, at, list);
    const struct kd_yaml *its = kd_yaml_get(draft.node, "feasibleSpace");
    struct kd_error err;
    int bad = draft.type < 0 || draft.distribution < 0 || its == NULL || its->kind != KD_NODE_MAP;
    if (!bad) {
        draft.param.type = (enum kd_param_type)draft.type;
        draft.param.distribution = (enum kd_distribution)draft.distribution;
        bad = is_list_type(&draft) ? read_choices(reader, &draft) : read_range(reader, &draft);
    }
    if (!bad && reader->experiment->is_katib && draft.min && draft.param.min == draft.param.max)
        fix_value(&draft);
    if (!bad && kd_param_check(&draft.param, &err) != 0) {
        report_check(reader, &draft, err.text);
        bad = -1;
    }
    if (draft.param.name == NULL)
        draft.param.name = kd_strdup("");
    add_parameter(space, &draft.param);
    return !bad;
}

int kd_found_unknown_parameter(struct kd_reader *reader, struct kd_mark mark, const char *where,
                               const char *name, const struct kd_space *space)
{
    const char **names = KD_NEW_ARRAY(const char *, (size_t)space->n_params + 1);
    for (int i = 0; i < space->n_params; i++)
        names[i] = space->params[i].name;
    char *hint = kd_suggestion(name, names);
    kd_found_error(reader->findings, mark, "%s: there is no parameter \"%s\"%s", where, name, hint);
    free(hint);
    free(names);
    return -1;
}

void kd_read_parameters(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    if (!kd_yaml_expect_list(reader, value, "parameters"))
        return;
    if (value->children.n == 0)
        kd_found_error(reader->findings, value->mark, "parameters is empty: name what to tune");
    bool *is_sound = KD_NEW_ARRAY(bool, value->children.n + 1);
    for (size_t i = 0; i < value->children.n; i++)
        is_sound[i] = read_parameter(reader, value, i, target);
    kd_read_conditions(reader, value, target, is_sound);
    free(is_sound);
}
