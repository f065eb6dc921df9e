/* fill.c - placeholders replaced by what they stand for. */
#include "coordinator/spec/fill.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/placeholders.h"
#include "coordinator/yaml/json.h"

/* ${trialSpec.Kind}, ${trialSpec.Labels[app]}: the field, and the key in brackets when there is
 * one. */
static const char *job_fact(const struct kd_fill *fill, const char *reference)
{
    const char *field = reference + strlen("${trialSpec.");
    size_t length = strcspn(field, "[}");
    char *name = kd_strndup(field, length), *key = NULL;
    if (field[length] == '[')
        key = kd_strndup(field + length + 1, strcspn(field + length + 1, "]"));
    const json_t *value = json_object_get(fill->experiment->template.job, name);
    if (key)
        value = json_object_get(value, key);
    const char *text = strcmp(name, "Name") == 0 ? fill->trial_name : json_string_value(value);
    free(name);
    free(key);
    return text ? text : "";
}

static bool add_parameter(const struct kd_fill *fill, int index, struct kd_str *out)
{
    char buffer[KD_NUMBER_MAX];
    double value = fill->values[index];
    if (isnan(value))
        return false;
    kd_str_add(out, kd_param_text(&fill->experiment->space.params[index], value, buffer));
    return true;
}

static bool add_binding(const struct kd_fill *fill, struct kd_binding binding, struct kd_str *out)
{
    const struct kd_template *template = &fill->experiment->template;
    switch (binding.kind) {
    case KD_BIND_PARAM:
        return add_parameter(fill, binding.index, out);
    case KD_BIND_META:
        kd_str_add(out, job_fact(fill, template->trial_parameters[binding.index].reference));
        return true;
    case KD_BIND_TRIAL_DIR:
        kd_str_add(out, fill->context->trial_dir);
        return true;
    case KD_BIND_CHECKPOINT_DIR:
        kd_str_add(out, fill->checkpoint_dir);
        return true;
    case KD_BIND_TRIAL_NAME:
        kd_str_add(out, fill->trial_name);
        return true;
    case KD_BIND_TRIAL_NUMBER:
        kd_str_addf(out, "%d", fill->context->trial);
        return true;
    case KD_BIND_SEED:
        kd_str_addf(out, "%" PRIu64, fill->context->seed);
        return true;
    default:
        kd_bug("a placeholder that reading must have refused");
    }
}

bool kd_fill_text(const struct kd_fill *fill, const char *text, struct kd_str *out)
{
    struct kd_piece piece;
    while (kd_piece_next(&text, fill->experiment->is_katib, &piece)) {
        if (piece.kind != KD_PIECE_PLACEHOLDER)
            kd_str_addn(out, piece.start, piece.length);
        else if (!add_binding(fill, kd_placeholder_find(fill->experiment, &piece), out))
            return false;
    }
    return true;
}

static json_t *fill_scalar(const struct kd_fill *fill, const char *text)
{
    struct kd_binding alone = kd_placeholder_alone(fill->experiment, text);
    const struct kd_param *param =
        alone.kind == KD_BIND_PARAM ? &fill->experiment->space.params[alone.index] : NULL;
    if (param && param->type != KD_PARAM_CATEGORICAL)
        return isnan(fill->values[alone.index]) ? NULL : kd_number_json(fill->values[alone.index]);
    struct kd_str out = {0};
    json_t *json = NULL;
    if (kd_fill_text(fill, text, &out)) {
        bool is_typed = param || alone.kind == KD_BIND_SEED || alone.kind == KD_BIND_TRIAL_NUMBER;
        json = is_typed ? kd_typed_json(kd_str_text(&out)) : json_string(kd_str_text(&out));
    }
    kd_str_release(&out);
    return json;
}

json_t *kd_fill_tree(const struct kd_fill *fill, const json_t *tree)
{
    if (json_is_string(tree))
        return fill_scalar(fill, json_string_value(tree));
    if (!json_is_object(tree) && !json_is_array(tree))
        return json_deep_copy(tree);
    json_t *copy = json_is_object(tree) ? json_object() : json_array(), *item;
    const char *key;
    size_t i;
    json_object_foreach((json_t *)tree, key, item)
    {
        json_t *filled = kd_fill_tree(fill, item);
        if (filled)
            json_object_set_new(copy, key, filled);
    }
    json_array_foreach(tree, i, item)
    {
        json_t *filled = kd_fill_tree(fill, item);
        if (filled)
            json_array_append_new(copy, filled);
    }
    return copy;
}
