/* difference.c - what differs between two canonical trees, said with the paths that overrides use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/spec_read.h"

enum { LONGEST_VALUE = 80 };

static void add_value(struct kd_str *out, const json_t *value)
{
    if (value == NULL) {
        kd_str_add(out, "(none)");
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    const char *shown = json_is_string(value) ? json_string_value(value) : text;
    kd_str_addf(out, strlen(shown) > LONGEST_VALUE ? "%.*s..." : "%.*s", LONGEST_VALUE, shown);
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

/* parameters.lr.max, not parameters.lr.feasibleSpace.max: as an override would say it. */
static char *below(const char *path, const char *step)
{
    if (strcmp(step, "feasibleSpace") == 0)
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

static void compare(struct kd_str *out, const char *path, const json_t *before,
                    const json_t *after);

static void compare_at(struct kd_str *out, const char *path, const char *step, const json_t *before,
                       const json_t *after)
{
    char *longer = below(path, step);
    compare(out, longer, before, after);
    free(longer);
}

static void compare_objects(struct kd_str *out, const char *path, const json_t *before,
                            const json_t *after)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)before, key, value)
    {
        compare_at(out, path, key, value, json_object_get(after, key));
    }
    json_object_foreach((json_t *)after, key, value)
    {
        if (json_object_get(before, key) == NULL)
            compare_at(out, path, key, NULL, value);
    }
}

static void compare_named(struct kd_str *out, const char *path, const json_t *before,
                          const json_t *after)
{
    size_t i;
    json_t *item;
    size_t n_before = out->length;
    json_array_foreach(before, i, item)
    {
        if (name_of(item))
            compare_at(out, path, name_of(item), item, named(after, name_of(item)));
    }
    json_array_foreach(after, i, item)
    {
        if (name_of(item) && named(before, name_of(item)) == NULL)
            compare_at(out, path, name_of(item), NULL, item);
    }
    if (out->length == n_before)
        kd_str_addf(out, "%s%s: in another order", out->length ? "\n" : "", path);
}

static void compare_lists(struct kd_str *out, const char *path, const json_t *before,
                          const json_t *after)
{
    size_t n = json_array_size(before), m = json_array_size(after);
    for (size_t i = 0; i < n || i < m; i++) {
        char step[24];
        snprintf(step, sizeof step, "%zu", i);
        compare_at(out, path, step, json_array_get(before, i), json_array_get(after, i));
    }
}

static void compare(struct kd_str *out, const char *path, const json_t *before, const json_t *after)
{
    if (before && after && json_equal(before, after))
        return;
    if (json_is_object(before) && json_is_object(after))
        compare_objects(out, path, before, after);
    else if (is_named_list(before) && is_named_list(after))
        compare_named(out, path, before, after);
    else if (json_is_array(before) && json_is_array(after))
        compare_lists(out, path, before, after);
    else
        add_line(out, path, before, after);
}

char *kd_spec_difference(const char *old_canonical, const char *new_canonical)
{
    struct kd_str out = {0};
    json_t *before = json_loads(old_canonical, 0, NULL),
           *after = json_loads(new_canonical, 0, NULL);
    compare(&out, "", before, after);
    json_decref(before);
    json_decref(after);
    return kd_str_take(&out);
}
