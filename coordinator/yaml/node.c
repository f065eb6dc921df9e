/* node.c - making, finding and changing nodes of the parsed document. */
#include "coordinator/yaml/node.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

struct kd_yaml *kd_yaml_new(enum kd_yaml_kind kind, struct kd_mark mark)
{
    struct kd_yaml *node = KD_NEW(struct kd_yaml);
    node->kind = kind;
    node->mark = mark;
    return node;
}

static const struct word {
    const char *text;
    enum kd_yaml_kind kind;
    double number;
} words[] = {
    {"", KD_NODE_NULL, 0},
    {"~", KD_NODE_NULL, 0},
    {"null", KD_NODE_NULL, 0},
    {"Null", KD_NODE_NULL, 0},
    {"NULL", KD_NODE_NULL, 0},
    {"true", KD_NODE_BOOL, 1},
    {"True", KD_NODE_BOOL, 1},
    {"TRUE", KD_NODE_BOOL, 1},
    {"false", KD_NODE_BOOL, 0},
    {"False", KD_NODE_BOOL, 0},
    {"FALSE", KD_NODE_BOOL, 0},
    {".inf", KD_NODE_NUMBER, INFINITY},
    {".Inf", KD_NODE_NUMBER, INFINITY},
    {".INF", KD_NODE_NUMBER, INFINITY},
    {"+.inf", KD_NODE_NUMBER, INFINITY},
    {"-.inf", KD_NODE_NUMBER, -INFINITY},
    {"-.Inf", KD_NODE_NUMBER, -INFINITY},
    {"-.INF", KD_NODE_NUMBER, -INFINITY},
    {".nan", KD_NODE_NUMBER, NAN},
    {".NaN", KD_NODE_NUMBER, NAN},
    {".NAN", KD_NODE_NUMBER, NAN},
};

/* 0x1F and 0o17; false when the text is neither. */
static bool based_integer(const char *text, double *value)
{
    int base = strncmp(text, "0x", 2) == 0 ? 16 : strncmp(text, "0o", 2) == 0 ? 8 : 0;
    const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "01234567";
    if (base == 0 || text[2] == '\0' || text[2 + strspn(text + 2, digits)] != '\0')
        return false;
    *value = (double)strtoull(text + 2, NULL, base);
    return true;
}

/* The core schema's decimal: no hexadecimal floats, no "nan", no "infinity" as strtod has them. */
static bool decimal(const char *text, double *value)
{
    const char *p = text + (*text == '-' || *text == '+');
    size_t whole = strspn(p, "0123456789"), part = 0;
    p += whole;
    if (*p == '.')
        part = strspn(++p, "0123456789"), p += part;
    if (whole + part == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '-' || p[1] == '+');
        size_t digits = strspn(p, "0123456789");
        if (digits == 0)
            return false;
        p += digits;
    }
    *value = strtod(text, NULL);
    return *p == '\0';
}

static void resolve_plain(struct kd_yaml *node)
{
    for (size_t i = 0; i < KD_COUNT(words); i++) {
        if (strcmp(node->text, words[i].text) == 0) {
            node->kind = words[i].kind;
            node->number = words[i].number;
            return;
        }
    }
    if (based_integer(node->text, &node->number) || decimal(node->text, &node->number))
        node->kind = KD_NODE_NUMBER;
}

struct kd_yaml *kd_yaml_new_scalar(const char *text, bool is_plain, struct kd_mark mark)
{
    struct kd_yaml *node = kd_yaml_new(KD_NODE_STRING, mark);
    node->text = kd_strdup(text);
    if (is_plain)
        resolve_plain(node);
    return node;
}

struct kd_yaml *kd_yaml_copy(const struct kd_yaml *node)
{
    struct kd_yaml *copy = kd_yaml_new(node->kind, node->mark);
    copy->text = kd_strdup(node->text);
    copy->number = node->number;
    copy->key = kd_strdup(node->key);
    copy->key_mark = node->key_mark;
    for (size_t i = 0; i < node->children.n; i++)
        kd_arr_push(&copy->children, kd_yaml_copy(node->children.items[i]));
    return copy;
}

void kd_yaml_free(struct kd_yaml *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->children.n; i++)
        kd_yaml_free(node->children.items[i]);
    kd_arr_release(&node->children);
    free(node->text);
    free(node->key);
    free(node);
}

void kd_yaml_push(struct kd_yaml *list, struct kd_yaml **child)
{
    kd_arr_push(&list->children, *child);
    *child = NULL;
}

void kd_yaml_put(struct kd_yaml *map, const char *key, struct kd_mark key_mark,
                 struct kd_yaml **child)
{
    int at = kd_yaml_key_at(map, key);
    char *copy = kd_strdup(key);
    free((*child)->key);
    (*child)->key = copy;
    (*child)->key_mark = key_mark;
    if (at >= 0) {
        kd_yaml_free(map->children.items[at]);
        map->children.items[at] = *child;
    } else {
        kd_arr_push(&map->children, *child);
    }
    *child = NULL;
}

void kd_yaml_remove_at(struct kd_yaml *parent, size_t at)
{
    kd_yaml_free(parent->children.items[at]);
    parent->children.n--;
    memmove(&parent->children.items[at], &parent->children.items[at + 1],
            (parent->children.n - at) * sizeof *parent->children.items);
}

int kd_yaml_key_at(const struct kd_yaml *map, const char *key)
{
    if (map == NULL || map->kind != KD_NODE_MAP)
        return -1;
    for (size_t i = 0; i < map->children.n; i++)
        if (strcmp(map->children.items[i]->key, key) == 0)
            return (int)i;
    return -1;
}

struct kd_yaml *kd_yaml_get(const struct kd_yaml *map, const char *key)
{
    int at = kd_yaml_key_at(map, key);
    if (at < 0 || map->children.items[at]->kind == KD_NODE_NULL)
        return NULL;
    return map->children.items[at];
}

struct kd_yaml *kd_yaml_at(const struct kd_yaml *root, const char *path)
{
    const struct kd_yaml *node = root;
    while (node && *path) {
        size_t length = strcspn(path, ".");
        char *key = kd_strndup(path, length);
        node = kd_yaml_get(node, key);
        free(key);
        path += length + (path[length] == '.');
    }
    return (struct kd_yaml *)node;
}

int kd_yaml_named_at(const struct kd_yaml *list, const char *name)
{
    if (list == NULL || list->kind != KD_NODE_LIST)
        return -1;
    for (size_t i = 0; i < list->children.n; i++) {
        const struct kd_yaml *its = kd_yaml_get(list->children.items[i], "name");
        if (its && its->text && strcmp(its->text, name) == 0)
            return (int)i;
    }
    return -1;
}

bool kd_yaml_is_scalar(const struct kd_yaml *node)
{
    return node->kind != KD_NODE_LIST && node->kind != KD_NODE_MAP;
}

const char *kd_yaml_kind_name(const struct kd_yaml *node)
{
    static const char *const names[] = {
        [KD_NODE_NULL] = "nothing",    [KD_NODE_BOOL] = "true or false",
        [KD_NODE_NUMBER] = "a number", [KD_NODE_STRING] = "a text",
        [KD_NODE_LIST] = "a list",     [KD_NODE_MAP] = "a mapping",
    };
    return names[node->kind];
}

/* One step of a pointer, unescaped; returns the rest. */
static const char *pointer_step(const char *pointer, struct kd_str *step)
{
    kd_str_clear(step);
    for (; *pointer && *pointer != '/'; pointer++) {
        if (*pointer == '~' && (pointer[1] == '0' || pointer[1] == '1'))
            kd_str_addc(step, *++pointer == '0' ? '~' : '/');
        else
            kd_str_addc(step, *pointer);
    }
    return pointer;
}

const struct kd_yaml *kd_yaml_pointer(const struct kd_yaml *root, const char *pointer)
{
    struct kd_str step = {0};
    while (*pointer == '/') {
        pointer = pointer_step(pointer + 1, &step);
        long long at;
        if (root->kind == KD_NODE_MAP)
            at = kd_yaml_key_at(root, kd_str_text(&step));
        else if (kd_integer_parse(kd_str_text(&step), &at) != 0)
            at = -1;
        if (at < 0 || at >= (long long)root->children.n)
            break;
        root = root->children.items[at];
    }
    kd_str_release(&step);
    return root;
}

struct kd_mark kd_yaml_mark_at(const struct kd_yaml *root, const char *pointer)
{
    const struct kd_yaml *node = pointer ? kd_yaml_pointer(root, pointer) : root;
    bool is_collection = !kd_yaml_is_scalar(node) && node->key;
    return is_collection ? node->key_mark : node->mark;
}
