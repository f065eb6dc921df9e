#include "trainer/models/field.h"

#include <math.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

int kd_fail_unknown(struct kd_error *err, const char *at, const char *what, const char *name,
                    const char *const *names)
{
    struct kd_str list = {0};
    for (int i = 0; names[i]; i++)
        kd_str_addf(&list, "%s%s", i ? ", " : "", names[i]);
    const char *nearest = kd_nearest_name(name, names);
    if (nearest)
        kd_fail(err, "%s: unknown %s \"%s\"; did you mean \"%s\"? There are: %s", at, what, name,
                nearest, kd_str_text(&list));
    else
        kd_fail(err, "%s: unknown %s \"%s\"; there are: %s", at, what, name,
                list.length ? kd_str_text(&list) : "none");
    kd_str_release(&list);
    return -1;
}

static int n_fields(const struct kd_field *fields)
{
    int n = 0;
    while (fields && fields[n].name)
        n++;
    kd_assert(n <= KD_FIELDS_MAX);
    return n;
}

static int refuse_unknown_keys(const struct kd_field *fields, const json_t *object,
                               const char *skip, const char *at, struct kd_error *err)
{
    const char *names[KD_FIELDS_MAX + 1] = {NULL};
    for (int i = 0; i < n_fields(fields); i++)
        names[i] = fields[i].name;
    for (void *it = json_object_iter((json_t *)object); it;
         it = json_object_iter_next((json_t *)object, it)) {
        const char *key = json_object_iter_key(it);
        bool known = skip && strcmp(key, skip) == 0;
        for (int i = 0; names[i] && !known; i++)
            known = strcmp(key, names[i]) == 0;
        if (!known)
            return kd_fail_unknown(err, at, "field", key, names);
    }
    return 0;
}

static int fail_type(const struct kd_field *field, const json_t *given, const char *at,
                     struct kd_error *err)
{
    static const char *const wanted[] = {[KD_FIELD_NUMBER] = "a number",
                                         [KD_FIELD_INTEGER] = "a whole number",
                                         [KD_FIELD_SWITCH] = "true or false"};
    char *text = json_dumps(given, JSON_ENCODE_ANY | JSON_COMPACT);
    kd_fail(err, "%s/%s: %s is not %s", at, field->name, text ? text : "this", wanted[field->kind]);
    free(text);
    return -1;
}

static int read_switch(const struct kd_field *field, const json_t *given, const char *at,
                       double *value, struct kd_error *err)
{
    double number = json_is_boolean(given) ? json_is_true(given) : json_number_value(given);
    bool sound = json_is_boolean(given) || (json_is_number(given) && (number == 0 || number == 1));
    *value = number;
    return sound ? 0 : fail_type(field, given, at, err);
}

static int read_choice(const struct kd_field *field, const json_t *given, const char *at,
                       double *value, struct kd_error *err)
{
    const char *name = json_string_value(given);
    if (!name)
        return kd_fail(err, "%s/%s: must be a name, such as %s", at, field->name,
                       field->choices[0]);
    for (int i = 0; field->choices[i]; i++)
        if (strcmp(name, field->choices[i]) == 0) {
            *value = i;
            return 0;
        }
    return kd_fail_unknown(err, at, field->name, name, field->choices);
}

static int read_field(const struct kd_field *field, const json_t *given, const char *at,
                      double *value, struct kd_error *err)
{
    if (!given) {
        *value = field->fallback;
        return isnan(*value) ? kd_fail(err, "%s/%s: is missing: %s", at, field->name, field->help)
                             : 0;
    }
    if (field->kind == KD_FIELD_SWITCH)
        return read_switch(field, given, at, value, err);
    if (field->kind == KD_FIELD_CHOICE)
        return read_choice(field, given, at, value, err);
    if (!json_is_number(given))
        return fail_type(field, given, at, err);
    double x = json_number_value(given);
    if (field->kind == KD_FIELD_INTEGER && x != floor(x))
        return fail_type(field, given, at, err);
    if (x < field->min)
        return kd_fail(err, "%s/%s: %.17g is below the least, %g", at, field->name, x, field->min);
    if (x > field->max || (field->below_max && x == field->max))
        return kd_fail(err, "%s/%s: %.17g is above the most, %g%s", at, field->name, x, field->max,
                       field->below_max ? " (which is excluded itself)" : "");
    *value = x;
    return 0;
}

int kd_fields_read(const struct kd_field *fields, const json_t *object, const char *skip,
                   const char *at, double *values, struct kd_error *err)
{
    if (object && !json_is_null(object) && !json_is_object(object))
        return kd_fail(err, "%s: its settings must be a mapping, such as {%s: ...}", at,
                       n_fields(fields) ? fields[0].name : "");
    if (json_is_object(object) && refuse_unknown_keys(fields, object, skip, at, err) != 0)
        return -1;
    for (int i = 0; i < n_fields(fields); i++)
        if (read_field(&fields[i], json_object_get(object, fields[i].name), at, &values[i], err) !=
            0)
            return -1;
    return 0;
}

static json_t *whole_value(const struct kd_field *field, double value)
{
    if (field->kind == KD_FIELD_CHOICE)
        return json_string(field->choices[(int)value]);
    if (field->kind == KD_FIELD_SWITCH)
        return json_boolean(value != 0);
    return field->kind == KD_FIELD_INTEGER ? json_integer((json_int_t)value) : json_real(value);
}

json_t *kd_fields_whole(const struct kd_field *fields, const char *name, const json_t *object)
{
    struct kd_error err;
    double values[KD_FIELDS_MAX];
    json_t *whole = json_object();
    if (kd_fields_read(fields, object, name ? "name" : NULL, "", values, &err) < 0)
        kd_bug("settings that were read are not sound: %s", err.text);
    if (name)
        json_object_set_new(whole, "name", json_string(name));
    for (int i = 0; i < n_fields(fields); i++)
        json_object_set_new(whole, fields[i].name, whole_value(&fields[i], values[i]));
    return whole;
}

static const char *const kind_names[] = {
    [KD_FIELD_NUMBER] = "number",
    [KD_FIELD_INTEGER] = "integer",
    [KD_FIELD_SWITCH] = "switch",
    [KD_FIELD_CHOICE] = "choice",
};

static void describe_default(const struct kd_field *field, struct kd_json *json)
{
    kd_json_key(json, "default");
    if (isnan(field->fallback))
        kd_json_null(json);
    else if (field->kind == KD_FIELD_CHOICE)
        kd_json_string(json, field->choices[(int)field->fallback]);
    else if (field->kind == KD_FIELD_SWITCH)
        kd_json_bool(json, field->fallback != 0);
    else
        kd_json_number(json, field->fallback);
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
    kd_json_open(json, '{');
    kd_json_add_string(json, "name", field->name);
    kd_json_add_string(json, "kind", kind_names[field->kind]);
    describe_default(field, json);
    kd_json_add_bool(json, "required", isnan(field->fallback));
    if (field->kind == KD_FIELD_NUMBER || field->kind == KD_FIELD_INTEGER) {
        kd_json_add_number(json, "min", field->min);
        kd_json_add_number(json, "max", field->max);
        kd_json_add_bool(json, "maxExcluded", field->below_max);
    }
    if (field->kind == KD_FIELD_CHOICE)
        describe_choices(field, json);
    kd_json_add_string(json, "help", field->help);
    kd_json_close(json, '}');
}

void kd_fields_describe(const struct kd_field *fields, struct kd_json *json)
{
    kd_json_key(json, "fields");
    kd_json_open(json, '[');
    for (int i = 0; i < n_fields(fields); i++)
        describe_field(&fields[i], json);
    kd_json_close(json, ']');
}
