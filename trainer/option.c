#include "trainer/option.h"

#include <math.h>
#include <string.h>

#include "coordinator/base/str.h"

static const char *const kind_names[] = {
#define X(constant, name, words) name,
    KD_OPTION_KINDS(X)
#undef X
};

static const char *const kind_words[] = {
#define X(constant, name, words) words,
    KD_OPTION_KINDS(X)
#undef X
};

const char *kd_json_kind_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return value ? names[json_typeof(value)] : "nothing";
}

static bool is_column(const json_t *value)
{
    return json_is_integer(value) || json_is_string(value);
}

static bool is_integral(const json_t *value)
{
    return json_is_integer(value) ||
           (json_is_real(value) && floor(json_real_value(value)) == json_real_value(value) &&
            fabs(json_real_value(value)) < 9e15);
}

static bool is_column_list(const json_t *value)
{
    size_t i;
    const json_t *item;
    if (!json_is_array(value))
        return false;
    json_array_foreach(value, i, item)
    {
        if (!is_column(item))
            return false;
    }
    return true;
}

static bool is_path_list(const json_t *value)
{
    size_t i;
    const json_t *item;
    if (json_is_string(value))
        return true;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return json_array_size(value) > 0;
}

static bool is_switch(const json_t *value)
{
    return json_is_boolean(value) ||
           (json_is_string(value) && strcmp(json_string_value(value), "auto") == 0);
}

static bool kind_fits(enum kd_option_kind kind, const json_t *value)
{
    switch (kind) {
    case KD_OPTION_NUMBER:
        return json_is_number(value);
    case KD_OPTION_INT:
        return is_integral(value);
    case KD_OPTION_TEXT:
    case KD_OPTION_FILE:
    case KD_OPTION_CHOICE:
        return json_is_string(value);
    case KD_OPTION_FILES:
        return is_path_list(value);
    case KD_OPTION_BOOL:
        return json_is_boolean(value);
    case KD_OPTION_SWITCH:
        return is_switch(value);
    case KD_OPTION_COLUMN:
        return is_column(value);
    case KD_OPTION_COLUMNS:
        return is_column_list(value);
    case KD_OPTION_OBJECT:
        return json_is_object(value);
    case KD_OPTION_LIST:
        return json_is_array(value);
    case KD_OPTION_OWN:
        return true;
    }
    return false;
}

static void check_bounds(const struct kd_option *option, const json_t *value, const char *pointer,
                         struct kd_problems *problems)
{
    double number = json_number_value(value);
    if (isfinite(number) && number >= option->min && number <= option->max)
        return;
    kd_problems_add(problems, pointer, "%.15g is out of bounds: %s must be between %.15g and %.15g",
                    number, option->name, option->min, option->max);
}

static char *joined(const char *const *names)
{
    struct kd_str all = {0};
    for (int i = 0; names[i]; i++)
        kd_str_addf(&all, "%s%s", i ? ", " : "", names[i]);
    return kd_str_take(&all);
}

static int choice_find(const char *const *choices, const char *text)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], text) == 0)
            return i;
    return -1;
}

static void check_choice(const struct kd_option *option, const json_t *value, const char *pointer,
                         struct kd_problems *problems)
{
    const char *text = json_string_value(value);
    if (choice_find(option->choices, text) >= 0)
        return;
    const char *near = kd_nearest_name(text, option->choices);
    char *all = joined(option->choices);
    kd_problems_add(problems, pointer, "there is no %s \"%s\"%s%s%s; there are: %s", option->name,
                    text, near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "",
                    all);
    free(all);
}

static void check_value(const struct kd_option *option, const json_t *value, const char *pointer,
                        struct kd_problems *problems)
{
    if (!kind_fits(option->kind, value)) {
        char *seen = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        kd_problems_add(problems, pointer, "%s must be %s, not %s (%.80s)", option->name,
                        kind_words[option->kind], kd_json_kind_name(value), seen ? seen : "?");
        free(seen);
        return;
    }
    if (option->kind == KD_OPTION_NUMBER || option->kind == KD_OPTION_INT)
        check_bounds(option, value, pointer, problems);
    if (option->kind == KD_OPTION_CHOICE)
        check_choice(option, value, pointer, problems);
    if (option->kind == KD_OPTION_OBJECT)
        kd_options_check((const struct kd_option *const[]){option->fields, NULL}, value, pointer,
                         problems);
}

static const struct kd_option *find_in(const struct kd_option *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

static const struct kd_option *option_find(const struct kd_option *const *tables, const char *name)
{
    for (; *tables; tables++) {
        const struct kd_option *option = find_in(*tables, name);
        if (option)
            return option;
    }
    return NULL;
}

static void add_unknown(const struct kd_option *const *tables, const char *name,
                        const char *pointer, struct kd_problems *problems)
{
    KD_ARR(const char *) names = {0};
    for (; *tables; tables++)
        for (const struct kd_option *option = *tables; option->name; option++)
            kd_arr_push(&names, option->name);
    kd_arr_push(&names, NULL);
    const char *near = kd_nearest_name(name, names.items);
    char *all = joined(names.items);
    if (near)
        kd_problems_add(problems, pointer, "unknown field \"%s\"; did you mean \"%s\"?", name,
                        near);
    else
        kd_problems_add(problems, pointer, "unknown field \"%s\"; there are: %s", name, all);
    free(all);
    kd_arr_release(&names);
}

static void check_required(const struct kd_option *const *tables, const json_t *object,
                           const char *pointer, struct kd_problems *problems)
{
    for (; *tables; tables++)
        for (const struct kd_option *option = *tables; option->name; option++)
            if (option->required && !json_object_get(object, option->name))
                kd_problems_add(problems, pointer, "%s is missing: %s", option->name, option->help);
}

/* A name inside a JSON pointer (RFC 6901): "~" and "/" are escaped. */
static char *pointer_to(const char *pointer, const char *name)
{
    struct kd_str text = {0};
    kd_str_addf(&text, "%s/", pointer);
    for (; *name; name++) {
        if (*name == '~' || *name == '/')
            kd_str_add(&text, *name == '~' ? "~0" : "~1");
        else
            kd_str_addc(&text, *name);
    }
    return kd_str_take(&text);
}

bool kd_options_check(const struct kd_option *const *tables, const json_t *object,
                      const char *pointer, struct kd_problems *problems)
{
    size_t before = problems->list.n;
    if (!json_is_object(object)) {
        kd_problems_add(problems, pointer, "must be an object, not %s", kd_json_kind_name(object));
        return false;
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        const struct kd_option *option = option_find(tables, name);
        char *place = pointer_to(pointer, name);
        if (option)
            check_value(option, value, place, problems);
        else
            add_unknown(tables, name, place, problems);
        free(place);
    }
    check_required(tables, object, pointer, problems);
    return problems->list.n == before;
}

static const struct kd_option *option_get(const struct kd_option *table, const char *name)
{
    const struct kd_option *option = find_in(table, name);
    if (!option)
        kd_bug("no field %s in the table", name);
    return option;
}

double kd_option_number(const struct kd_option *table, const json_t *object, const char *name)
{
    const struct kd_option *option = option_get(table, name);
    const json_t *value = json_object_get(object, name);
    if (json_is_number(value))
        return json_number_value(value);
    return option->fallback ? strtod(option->fallback, NULL) : 0;
}

int64_t kd_option_int(const struct kd_option *table, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_integer(value))
        return json_integer_value(value); /* a double would round beyond 2^53 */
    return (int64_t)kd_option_number(table, object, name);
}

const char *kd_option_text(const struct kd_option *table, const json_t *object, const char *name)
{
    const struct kd_option *option = option_get(table, name);
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? json_string_value(value) : option->fallback;
}

int kd_option_choice(const struct kd_option *table, const json_t *object, const char *name)
{
    const struct kd_option *option = option_get(table, name);
    return choice_find(option->choices, kd_option_text(table, object, name));
}

/* What does not read as JSON is a bare word, of a text or choice. */
json_t *kd_option_default(const struct kd_option *option)
{
    json_t *value = json_loads(option->fallback, JSON_DECODE_ANY, NULL);
    return value ? value : json_string(option->fallback);
}

/* A default that reads as JSON is printed as it is. */
static void describe_fallback(const struct kd_option *option, struct kd_json *json)
{
    json_t *value = json_loads(option->fallback, JSON_DECODE_ANY, NULL);
    if (value)
        kd_json_add_raw(json, "default", option->fallback);
    else
        kd_json_add_string(json, "default", option->fallback);
    json_decref(value);
}

static void describe_choices(const struct kd_option *option, struct kd_json *json)
{
    kd_json_key(json, "choices");
    kd_json_open(json, '[');
    for (int i = 0; option->choices[i]; i++)
        kd_json_string(json, option->choices[i]);
    kd_json_close(json, ']');
}

static void describe_option(const struct kd_option *option, struct kd_json *json)
{
    kd_json_open(json, '{');
    kd_json_add_string(json, "name", option->name);
    kd_json_add_string(json, "kind", kind_names[option->kind]);
    kd_json_add_bool(json, "required", option->required);
    if (option->fallback)
        describe_fallback(option, json);
    if (option->kind == KD_OPTION_NUMBER || option->kind == KD_OPTION_INT) {
        kd_json_add_number(json, "min", option->min);
        kd_json_add_number(json, "max", option->max);
    }
    if (option->choices)
        describe_choices(option, json);
    kd_json_add_string(json, "help", option->help);
    if (option->fields)
        kd_options_describe(option->fields, json);
    kd_json_close(json, '}');
}

void kd_options_describe(const struct kd_option *table, struct kd_json *json)
{
    kd_json_key(json, "fields");
    kd_json_open(json, '[');
    for (; table->name; table++)
        describe_option(table, json);
    kd_json_close(json, ']');
}
