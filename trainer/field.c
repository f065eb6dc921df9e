#include "trainer/field.h"

#include <math.h>
#include <string.h>

#include "coordinator/base/str.h"

static const char *const kind_names[] = {
#define X(constant, name, words) name,
    KD_FIELD_KINDS(X)
#undef X
};

static const char *const kind_words[] = {
#define X(constant, name, words) words,
    KD_FIELD_KINDS(X)
#undef X
};

const char *kd_json_kind_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",   [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
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

static bool is_switch(const json_t *value)
{
    return json_is_boolean(value) ||
           (json_is_string(value) && strcmp(json_string_value(value), "auto") == 0);
}

static bool kind_fits(enum kd_field_kind kind, const json_t *value)
{
    switch (kind) {
    case KD_FIELD_NUMBER:
        return json_is_number(value);
    case KD_FIELD_INT:
        return is_integral(value);
    case KD_FIELD_TEXT:
    case KD_FIELD_FILE:
    case KD_FIELD_CHOICE:
        return json_is_string(value);
    case KD_FIELD_SWITCH:
        return is_switch(value);
    case KD_FIELD_COLUMN:
        return is_column(value);
    case KD_FIELD_COLUMNS:
        return is_column_list(value);
    case KD_FIELD_OBJECT:
        return json_is_object(value);
    case KD_FIELD_LIST:
        return json_is_array(value);
    case KD_FIELD_OWN:
        return true;
    }
    return false;
}

static void check_bounds(const struct kd_field *field, const json_t *value, const char *pointer,
                         struct kd_problems *problems)
{
    double number = json_number_value(value);
    if (isfinite(number) && number >= field->min && number <= field->max)
        return;
    kd_problems_add(problems, pointer, "%g is out of bounds: %s must be between %g and %g", number,
                    field->name, field->min, field->max);
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

static void check_choice(const struct kd_field *field, const json_t *value, const char *pointer,
                         struct kd_problems *problems)
{
    const char *text = json_string_value(value);
    if (choice_find(field->choices, text) >= 0)
        return;
    const char *near = kd_nearest_name(text, field->choices);
    char *all = joined(field->choices);
    kd_problems_add(problems, pointer, "there is no %s \"%s\"%s%s%s; there are: %s", field->name,
                    text, near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "",
                    all);
    free(all);
}

static void check_value(const struct kd_field *field, const json_t *value, const char *pointer,
                        struct kd_problems *problems)
{
    if (!kind_fits(field->kind, value)) {
        char *seen = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        kd_problems_add(problems, pointer, "%s must be %s, not %s (%.80s)", field->name,
                        kind_words[field->kind], kd_json_kind_name(value), seen ? seen : "?");
        free(seen);
        return;
    }
    if (field->kind == KD_FIELD_NUMBER || field->kind == KD_FIELD_INT)
        check_bounds(field, value, pointer, problems);
    if (field->kind == KD_FIELD_CHOICE)
        check_choice(field, value, pointer, problems);
    if (field->kind == KD_FIELD_OBJECT)
        kd_fields_check((const struct kd_field *const[]){field->fields, NULL}, value, pointer,
                        problems);
}

static const struct kd_field *find_in(const struct kd_field *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

static const struct kd_field *field_find(const struct kd_field *const *tables, const char *name)
{
    for (; *tables; tables++) {
        const struct kd_field *field = find_in(*tables, name);
        if (field)
            return field;
    }
    return NULL;
}

static void add_unknown(const struct kd_field *const *tables, const char *name, const char *pointer,
                        struct kd_problems *problems)
{
    KD_ARR(const char *) names = {0};
    for (; *tables; tables++)
        for (const struct kd_field *field = *tables; field->name; field++)
            kd_arr_push(&names, field->name);
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

static void check_required(const struct kd_field *const *tables, const json_t *object,
                           const char *pointer, struct kd_problems *problems)
{
    for (; *tables; tables++)
        for (const struct kd_field *field = *tables; field->name; field++)
            if (field->required && !json_object_get(object, field->name))
                kd_problems_add(problems, pointer, "%s is missing: %s", field->name, field->help);
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

bool kd_fields_check(const struct kd_field *const *tables, const json_t *object,
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
        const struct kd_field *field = field_find(tables, name);
        char *place = pointer_to(pointer, name);
        if (field)
            check_value(field, value, place, problems);
        else
            add_unknown(tables, name, place, problems);
        free(place);
    }
    check_required(tables, object, pointer, problems);
    return problems->list.n == before;
}

static const struct kd_field *field_get(const struct kd_field *table, const char *name)
{
    const struct kd_field *field = find_in(table, name);
    if (!field)
        kd_bug("no field %s in the table", name);
    return field;
}

double kd_field_number(const struct kd_field *table, const json_t *object, const char *name)
{
    const struct kd_field *field = field_get(table, name);
    const json_t *value = json_object_get(object, name);
    if (json_is_number(value))
        return json_number_value(value);
    return field->fallback ? strtod(field->fallback, NULL) : 0;
}

int64_t kd_field_int(const struct kd_field *table, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_integer(value))
        return json_integer_value(value); /* a double would round beyond 2^53 */
    return (int64_t)kd_field_number(table, object, name);
}

const char *kd_field_text(const struct kd_field *table, const json_t *object, const char *name)
{
    const struct kd_field *field = field_get(table, name);
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? json_string_value(value) : field->fallback;
}

int kd_field_choice(const struct kd_field *table, const json_t *object, const char *name)
{
    const struct kd_field *field = field_get(table, name);
    return choice_find(field->choices, kd_field_text(table, object, name));
}

/* A default that reads as JSON is printed as it is; a bare word (of a text or choice) as a string. */
static void describe_fallback(const struct kd_field *field, struct kd_json *json)
{
    json_t *value = json_loads(field->fallback, JSON_DECODE_ANY, NULL);
    if (value)
        kd_json_add_raw(json, "default", field->fallback);
    else
        kd_json_add_string(json, "default", field->fallback);
    json_decref(value);
}

static void describe_choices(const struct kd_field *field, struct kd_json *json)
{
    kd_json_key(json, "choices");
    kd_json_open(json, '[');
    for (int i = 0; field->choices[i]; i++)
        kd_json_string(json, field->choices[i]);
    kd_json_close(json, ']');
}

static void describe_field(const struct kd_field *field, struct kd_json *json)
{
    kd_json_key(json, field->name);
    kd_json_open(json, '{');
    kd_json_add_string(json, "kind", kind_names[field->kind]);
    kd_json_add_bool(json, "required", field->required);
    if (field->fallback)
        describe_fallback(field, json);
    if (field->kind == KD_FIELD_NUMBER || field->kind == KD_FIELD_INT) {
        kd_json_add_number(json, "min", field->min);
        kd_json_add_number(json, "max", field->max);
    }
    if (field->choices)
        describe_choices(field, json);
    kd_json_add_string(json, "help", field->help);
    if (field->fields) {
        kd_json_key(json, "fields");
        kd_json_open(json, '{');
        kd_fields_describe(field->fields, json);
        kd_json_close(json, '}');
    }
    kd_json_close(json, '}');
}

void kd_fields_describe(const struct kd_field *table, struct kd_json *json)
{
    for (; table->name; table++)
        describe_field(table, json);
}
