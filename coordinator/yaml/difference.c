#include "coordinator/yaml/difference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

enum { LONGEST_VALUE = 80 };

/* Not within a character of UTF-8. */
static int shown_length(const char *text)
{
    size_t n = strlen(text);
    if (n <= LONGEST_VALUE)
        return (int)n;
    n = LONGEST_VALUE;
    while (n > 0 && (text[n] & 0xC0) == 0x80)
        n--;
    return (int)n;
}

static void add_value(struct kd_str *out, const json_t *value)
{
    if (value == NULL) {
        kd_str_add(out, "(none)");
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    const char *shown = json_is_string(value) ? json_string_value(value) : text;
    int n = shown_length(shown);
    kd_str_addf(out, "%.*s%s", n, shown, shown[n] ? "..." : "");
    free(text);
}

static void add_line(struct kd_str *out, const char *path, const json_t *before,
                     const json_t *after)
{
    kd_str_addf(out, "%s%s: ", out->length ? "\n" : "", path);
    add_value(out, before);
    kd_str_add(out, " -> ");
    add_value(out, after);
}

static char *below(const char *path, const char *step, const struct kd_difference_rules *rules)
{
    if (rules->unsaid && strcmp(step, rules->unsaid) == 0)
        return kd_strdup(path);
    return kd_format("%s%s%s", path, *path ? "." : "", step);
}

static const char *name_of(const json_t *item)
{
    return json_string_value(json_object_get(item, "name"));
}

static json_t *named(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (name_of(item) && strcmp(name_of(item), name) == 0)
            return item;
    }
    return NULL;
}

static bool is_named_list(const json_t *list)
{
    return json_array_size(list) > 0 && name_of(json_array_get(list, 0));
}

static void compare(struct kd_str *out, const char *path, const json_t *before, const json_t *after,
                    const struct kd_difference_rules *rules);

static void compare_at(struct kd_str *out, const char *path, const char *step, const json_t *before,
                       const json_t *after, const struct kd_difference_rules *rules)
{
    char *longer = below(path, step, rules);
    compare(out, longer, before, after, rules);
    free(longer);
}

static void compare_objects(struct kd_str *out, const char *path, const json_t *before,
                            const json_t *after, const struct kd_difference_rules *rules)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)before, key, value)
    {
        compare_at(out, path, key, value, json_object_get(after, key), rules);
    }
    json_object_foreach((json_t *)after, key, value)
    {
        if (json_object_get(before, key) == NULL)
            compare_at(out, path, key, NULL, value, rules);
    }
}

static bool is_in_order(const json_t *before, const json_t *after)
{
    size_t i;
    json_t *item;
    json_array_foreach(before, i, item)
    {
        const char *name = name_of(item), *other = name_of(json_array_get(after, i));
        if (name && other && strcmp(name, other) != 0)
            return false;
    }
    return true;
}

static void compare_named(struct kd_str *out, const char *path, const json_t *before,
                          const json_t *after, const struct kd_difference_rules *rules)
{
    size_t i;
    json_t *item;
    size_t n_before = out->length;
    json_array_foreach(before, i, item)
    {
        if (name_of(item))
            compare_at(out, path, name_of(item), item, named(after, name_of(item)), rules);
    }
    json_array_foreach(after, i, item)
    {
        if (name_of(item) && named(before, name_of(item)) == NULL)
            compare_at(out, path, name_of(item), NULL, item, rules);
    }
    if (out->length == n_before && !is_in_order(before, after))
        kd_str_addf(out, "%s%s: in another order", out->length ? "\n" : "", path);
}

static void compare_lists(struct kd_str *out, const char *path, const json_t *before,
                          const json_t *after, const struct kd_difference_rules *rules)
{
    size_t n = json_array_size(before), m = json_array_size(after);
    for (size_t i = 0; i < n || i < m; i++) {
        char step[24];
        snprintf(step, sizeof step, "%zu", i);
        compare_at(out, path, step, json_array_get(before, i), json_array_get(after, i), rules);
    }
}

static bool is_same(const json_t *before, const json_t *after,
                    const struct kd_difference_rules *rules)
{
    if (json_is_number(before) && json_is_number(after))
        return json_number_value(before) == json_number_value(after);
    if (json_equal(before, after))
        return true;
    return rules->says_the_same && json_is_string(before) && json_is_string(after) &&
           rules->says_the_same(rules->ud, json_string_value(before), json_string_value(after));
}

static void compare(struct kd_str *out, const char *path, const json_t *before, const json_t *after,
                    const struct kd_difference_rules *rules)
{
    if ((!before && !after) || (before && after && is_same(before, after, rules)))
        return;
    if (json_is_object(before) && json_is_object(after))
        compare_objects(out, path, before, after, rules);
    else if (is_named_list(before) && is_named_list(after))
        compare_named(out, path, before, after, rules);
    else if (json_is_array(before) && json_is_array(after))
        compare_lists(out, path, before, after, rules);
    else
        add_line(out, path, before, after);
}

void kd_difference_add(struct kd_str *out, const char *path, const json_t *before,
                       const json_t *after, const struct kd_difference_rules *rules)
{
    compare(out, path, before, after, rules);
}
