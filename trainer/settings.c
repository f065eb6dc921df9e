#include "trainer/settings.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 60, ENOUGH = 1000 }; /* bytes of a value; of all differences */

static const struct {
    const char *name;
    bool is_identity; /* with another one it is another training */
} fields[] = {
    {"data", true},      {"model", true},      {"loss", true},
    {"batchSize", true}, {"optimizer", false}, {"schedule", false},
    {"clipNorm", false}, {"average", false},   {"accumulate", false},
};

/* ---- what it is */

static void fill_defaults(json_t *object, const struct kd_option *table)
{
    for (; table->name; table++) {
        if (table->fallback && !json_object_get(object, table->name))
            json_object_set_new(object, table->name, kd_option_default(table));
        json_t *value = json_object_get(object, table->name);
        if (table->fields && json_is_object(value))
            fill_defaults(value, table->fields);
    }
}

/* A name alone is its block. */
static json_t *whole(json_t *value)
{
    return json_is_string(value) ? json_pack("{s:o}", "name", value) : value;
}

static json_t *value_of(const struct kd_config *config, const char *name)
{
    json_t *given = json_object_get(config->block, name);
    const struct kd_option *option = kd_config_options;
    while (strcmp(option->name, name) != 0)
        option++;
    return whole(given              ? json_deep_copy(given)
                 : option->fallback ? kd_option_default(option)
                                    : NULL);
}

json_t *kd_settings_of(const struct kd_config *config)
{
    json_t *settings = json_object();
    for (size_t i = 0; i < KD_COUNT(fields); i++) {
        json_t *value = value_of(config, fields[i].name);
        if (value)
            json_object_set_new(settings, fields[i].name, value);
    }
    fill_defaults(json_object_get(settings, "data"), kd_data_options);
    fill_defaults(json_object_get(settings, "data"), config->data.format->fields);
    return settings;
}

/* ---- what has changed */

static bool is_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return (!a && !b) || json_equal(a, b);
}

static void add_value(struct kd_str *out, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15))
                       : kd_strdup("not given");
    bool is_cut = text && strlen(text) > SHOWN;
    kd_str_addf(out, "%.*s%s", SHOWN, text ? text : "?", is_cut ? "..." : "");
    free(text);
}

static void compare(struct kd_str *out, const char *path, const json_t *there, const json_t *now);

static void compare_step(struct kd_str *out, const char *path, const char *step,
                         const json_t *there, const json_t *now)
{
    char *below = kd_format("%s.%s", path, step);
    compare(out, below, there, now);
    free(below);
}

static void compare_objects(struct kd_str *out, const char *path, const json_t *there,
                            const json_t *now)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)there, name, value)
    {
        compare_step(out, path, name, value, json_object_get(now, name));
    }
    json_object_foreach((json_t *)now, name, value)
    {
        if (!json_object_get(there, name))
            compare_step(out, path, name, NULL, value);
    }
}

static void compare_lists(struct kd_str *out, const char *path, const json_t *there,
                          const json_t *now)
{
    for (size_t i = 0; i < json_array_size(there); i++) {
        char step[24];
        snprintf(step, sizeof step, "%zu", i);
        compare_step(out, path, step, json_array_get(there, i), json_array_get(now, i));
    }
}

static void compare(struct kd_str *out, const char *path, const json_t *there, const json_t *now)
{
    if (is_equal(there, now))
        return;
    if (json_is_object(there) && json_is_object(now)) {
        compare_objects(out, path, there, now);
        return;
    }
    if (json_is_array(there) && json_array_size(there) == json_array_size(now)) {
        compare_lists(out, path, there, now);
        return;
    }
    if (out->length > ENOUGH)
        return; /* what to do about it must fit beside them */
    kd_str_addf(out, "\n%s: ", path);
    add_value(out, there);
    kd_str_add(out, " -> ");
    add_value(out, now);
}

void kd_settings_compare(const json_t *there, const json_t *now, struct kd_str *other,
                         struct kd_str *changed)
{
    for (size_t i = 0; i < KD_COUNT(fields); i++)
        compare(fields[i].is_identity ? other : changed, fields[i].name,
                json_object_get(there, fields[i].name), json_object_get(now, fields[i].name));
}
