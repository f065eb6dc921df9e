/* json.c - nodes and texts to JSON values. */
#include "coordinator/yaml/json.h"

#include <math.h>
#include <string.h>

#include "coordinator/base/str.h"

json_t *kd_number_json(double value)
{
    char text[KD_NUMBER_MAX];
    if (!isfinite(value))
        return json_string(kd_number_text(value, text));
    bool is_whole = value == floor(value) && fabs(value) < 0x1p53;
    return is_whole ? json_integer((json_int_t)value) : json_real(value);
}

json_t *kd_typed_json(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    if (json && (json_is_number(json) || json_is_boolean(json)))
        return json;
    json_decref(json);
    double number; /* 1e-5 and .5 are numbers to people, and the first to JSON too */
    if (strspn(text, "0123456789+-.eE") == strlen(text) && kd_number_parse(text, &number) == 0 &&
        isfinite(number))
        return json_real(number);
    return json_string(text);
}

static json_t *scalar_json(const struct kd_yaml *node, kd_text_json *text_json, void *ud)
{
    switch (node->kind) {
    case KD_NODE_NULL:
        return json_null();
    case KD_NODE_BOOL:
        return json_boolean(node->number != 0);
    case KD_NODE_NUMBER:
        return kd_number_json(node->number);
    default:
        return text_json(ud, node);
    }
}

json_t *kd_yaml_json_with(const struct kd_yaml *node, kd_text_json *text_json, void *ud)
{
    if (kd_yaml_is_scalar(node))
        return scalar_json(node, text_json, ud);
    json_t *json = node->kind == KD_NODE_LIST ? json_array() : json_object();
    for (size_t i = 0; i < node->children.n; i++) {
        const struct kd_yaml *child = node->children.items[i];
        json_t *value = kd_yaml_json_with(child, text_json, ud);
        if (value && node->kind == KD_NODE_LIST)
            json_array_append_new(json, value);
        else if (value)
            json_object_set_new(json, child->key, value);
    }
    return json;
}

static json_t *text_as_it_is(void *ud, const struct kd_yaml *text)
{
    (void)ud;
    return json_string(text->text);
}

json_t *kd_yaml_json(const struct kd_yaml *node)
{
    return kd_yaml_json_with(node, text_as_it_is, NULL);
}
