/* canonical.c - one spelling for specs that mean the same. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/digest.h"

/* Paths below `spec`; "[]" stands for any item of a list. A rule holds for what lies below its path, too; the longest
 * path decides. */
enum how { BY_VALUE, BY_TEXT, TYPED, LEFT_OUT };
static const struct rule {
    const char *path;
    enum how how;
} rules[] = {
    {"", BY_VALUE},
    {"limits", LEFT_OUT},
    {"objective.goal", LEFT_OUT},
    {"parallelTrialCount", LEFT_OUT},
    {"maxTrialCount", LEFT_OUT},
    {"maxFailedTrialCount", LEFT_OUT},
    {"parameters.[].feasibleSpace.list", BY_TEXT},
    {"trialTemplate", BY_TEXT},
    {"trialTemplate.trainer", TYPED},
};

static enum how how_at(const char *path)
{
    enum how how = BY_VALUE;
    for (size_t i = 0; i < KD_COUNT(rules); i++) {
        size_t length = strlen(rules[i].path);
        bool is_below = length == 0 || (strncmp(path, rules[i].path, length) == 0 &&
                                        (path[length] == '.' || path[length] == '\0'));
        if (is_below)
            how = rules[i].how; /* the rules stand from short to long */
    }
    return how;
}

static json_t *scalar(const struct kd_node *node, enum how how)
{
    double number;
    if (how == BY_TEXT)
        return json_string(node->text);
    if (how == BY_VALUE && node->kind == KD_NODE_STRING &&
        kd_number_parse(node->text, &number) == 0) {
        struct kd_node as_number = {.kind = KD_NODE_NUMBER, .number = number};
        return kd_node_json(&as_number);
    }
    return kd_node_json(node);
}

static json_t *canonical(const struct kd_node *node, const char *path);

static json_t *collection(const struct kd_node *node, const char *path)
{
    bool is_list = node->kind == KD_NODE_LIST;
    json_t *json = is_list ? json_array() : json_object();
    for (size_t i = 0; i < node->children.n; i++) {
        const struct kd_node *child = node->children.items[i];
        char *below = kd_format("%s%s%s", path, *path ? "." : "", is_list ? "[]" : child->key);
        json_t *value = child->kind == KD_NODE_NULL && !is_list ? NULL : canonical(child, below);
        if (value && is_list)
            json_array_append_new(json, value);
        else if (value)
            json_object_set_new(json, child->key, value);
        free(below);
    }
    return json;
}

static json_t *canonical(const struct kd_node *node, const char *path)
{
    enum how how = how_at(path);
    if (how == LEFT_OUT)
        return NULL;
    return kd_node_is_scalar(node) ? scalar(node, how) : collection(node, path);
}

char *kd_canonical(const struct kd_node *spec)
{
    json_t *json = canonical(spec, "");
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(json);
    return text ? text : kd_strdup("{}");
}
