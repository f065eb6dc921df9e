/* canonical.c - one spelling for specs that mean the same. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/digest.h"

/* Paths below `spec`; "[]" stands for any item of a list. A rule holds for what lies below its
 * path, too; the longest path decides. */
enum how { BY_VALUE, BY_TEXT, TYPED, LEFT_OUT };
static const struct rule {
    const char *path;
    enum how how;
} rules[] = {
    {"", BY_VALUE},
    {"enqueue", BY_TEXT}, /* as the choices that the texts name */
    {"limits", LEFT_OUT},
    {"objective.goal", LEFT_OUT},
    {"parallelTrialCount", LEFT_OUT},
    {"maxTrialCount", LEFT_OUT},
    {"maxFailedTrialCount", LEFT_OUT},
    {"parameters.[].condition", BY_TEXT},
    {"parameters.[].feasibleSpace.list", BY_TEXT},
    {"seed", BY_TEXT}, /* 63 bits are more than a double holds */
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

/* Where the value counts, a text that is a number is one. */
static void write_scalar(struct kd_json *json, const struct kd_yaml *node, enum how how)
{
    double number = node->number;
    bool is_number =
        node->kind == KD_NODE_NUMBER || (how == BY_VALUE && node->kind == KD_NODE_STRING &&
                                         kd_number_parse(node->text, &number) == 0);
    if (how == BY_TEXT)
        kd_json_string(json, node->text);
    else if (is_number)
        kd_json_number(json, number);
    else if (node->kind == KD_NODE_BOOL)
        kd_json_bool(json, node->number != 0);
    else if (node->kind == KD_NODE_NULL)
        kd_json_null(json);
    else
        kd_json_string(json, node->text);
}

static void write_node(struct kd_json *json, const struct kd_yaml *node, const char *path);

static int by_key(const void *a, const void *b)
{
    return strcmp((*(struct kd_yaml *const *)a)->key, (*(struct kd_yaml *const *)b)->key);
}

static void write_list(struct kd_json *json, const struct kd_yaml *list, const char *path)
{
    char *below = kd_format("%s.[]", path);
    kd_json_open(json, '[');
    for (size_t i = 0; i < list->children.n; i++)
        write_node(json, list->children.items[i], below);
    kd_json_close(json, ']');
    free(below);
}

static void write_map(struct kd_json *json, const struct kd_yaml *map, const char *path)
{
    size_t n = map->children.n;
    struct kd_yaml **sorted = KD_NEW_ARRAY(struct kd_yaml *, n + 1);
    for (size_t i = 0; i < n; i++)
        sorted[i] = map->children.items[i];
    qsort(sorted, n, sizeof *sorted, by_key);
    kd_json_open(json, '{');
    for (size_t i = 0; i < n; i++) {
        char *below = kd_format("%s%s%s", path, *path ? "." : "", sorted[i]->key);
        if (sorted[i]->kind != KD_NODE_NULL && how_at(below) != LEFT_OUT) {
            kd_json_key(json, sorted[i]->key);
            write_node(json, sorted[i], below);
        }
        free(below);
    }
    kd_json_close(json, '}');
    free(sorted);
}

static void write_node(struct kd_json *json, const struct kd_yaml *node, const char *path)
{
    if (node->kind == KD_NODE_MAP)
        write_map(json, node, path);
    else if (node->kind == KD_NODE_LIST)
        write_list(json, node, path);
    else
        write_scalar(json, node, how_at(path));
}

char *kd_canonical(const struct kd_yaml *spec)
{
    struct kd_str out = {0};
    struct kd_json json = kd_json_to(&out);
    write_node(&json, spec, "");
    return kd_str_take(&out);
}
