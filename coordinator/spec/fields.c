/* fields.c - walking a mapping by its table, and reading single values. */
#include "coordinator/spec/fields.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/quantity.h"
#include "coordinator/yaml/overrides.h"

/* Beyond so many errors nobody reads hints, and looking for them takes its time. */
enum { MOST_FIELDS = 40, ENOUGH_ERRORS = 200 };

static const struct kd_field *field_find(const struct kd_field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

/* Owned. What an override wanted at the top may stand below it. */
static char *unknown_hint(const struct kd_reader *reader, const struct kd_yaml *value,
                          const char *const *names, const char *where)
{
    bool is_override = value->key_mark.origin != NULL && strcmp(where, "spec") == 0;
    const struct kd_yaml *spec = is_override ? kd_yaml_get(reader->root, "spec") : NULL;
    char *hint = kd_override_hint(spec, value->key, kd_nearest_name(value->key, names) == NULL);
    return hint ? hint : kd_suggestion(value->key, names);
}

static void unknown_field(struct kd_reader *reader, const struct kd_yaml *value,
                          const struct kd_field *fields, const char *where)
{
    const char *names[MOST_FIELDS + 1];
    int n = 0;
    if (reader->findings->n_errors >= ENOUGH_ERRORS) {
        kd_found_error(reader->findings, value->key_mark, "unknown field \"%s\"", value->key);
        return;
    }
    for (; fields->name && n < MOST_FIELDS; fields++)
        if (!(fields->flags & KD_FIELD_OURS) || !reader->experiment->is_katib)
            names[n++] = fields->name;
    names[n] = NULL;
    char *hint = unknown_hint(reader, value, names, where);
    kd_found_error(reader->findings, value->key_mark, "unknown field \"%s\"%s%s%s", value->key,
                   *where ? " in " : "", where, hint);
    free(hint);
}

static bool is_accepted(struct kd_reader *reader, const struct kd_yaml *value,
                        const struct kd_field *field, const char *where)
{
    if ((field->flags & KD_FIELD_OURS) && reader->experiment->is_katib) {
        kd_found_error(reader->findings, value->key_mark,
                       "\"%s\" is katydid's own: say \"apiVersion: katydid/v1\" to use it",
                       value->key);
        return false;
    }
    if (field->flags & KD_FIELD_PLANNED) {
        kd_found_error(reader->findings, value->key_mark, "\"%s\" is not supported yet: remove it",
                       value->key);
        return false;
    }
    if (field->flags & KD_FIELD_IDLE)
        kd_str_addf(reader->idle, "%s%s%s%s", reader->idle->length ? ", " : "", where,
                    *where ? "." : "", value->key);
    return true;
}

void kd_field_require(struct kd_reader *reader, const struct kd_yaml *map, const char *name,
                      const char *where)
{
    if (kd_yaml_get(map, name))
        return;
    int at = kd_yaml_key_at(map, name);
    struct kd_mark mark = at >= 0    ? map->children.items[at]->key_mark
                          : map->key ? map->key_mark
                                     : map->mark;
    kd_found_error(reader->findings, mark, "%s%s\"%s\" is %s", where, *where ? ": " : "", name,
                   at >= 0 ? "empty: give it a value" : "missing");
}

static void check_required(struct kd_reader *reader, const struct kd_yaml *map,
                           const struct kd_field *fields, const char *where)
{
    for (; fields->name; fields++)
        if (fields->flags & KD_FIELD_REQUIRED)
            kd_field_require(reader, map, fields->name, where);
}

void kd_fields_read(struct kd_reader *reader, const struct kd_yaml *map,
                    const struct kd_field *fields, const char *where, void *into)
{
    if (!kd_yaml_expect(reader, map, KD_NODE_MAP, *where ? where : "an Experiment"))
        return;
    for (size_t i = 0; i < map->children.n; i++) {
        const struct kd_yaml *value = map->children.items[i];
        const struct kd_field *field = field_find(fields, value->key);
        if (field == NULL)
            unknown_field(reader, value, fields, where);
        else if (is_accepted(reader, value, field, where) && field->read &&
                 value->kind != KD_NODE_NULL)
            field->read(reader, value, (char *)into + field->offset);
    }
    check_required(reader, map, fields, where);
}

static const char *label(const struct kd_yaml *value)
{
    return value->key ? value->key : "a value of the list";
}

bool kd_yaml_expect(struct kd_reader *reader, const struct kd_yaml *value, enum kd_yaml_kind kind,
                    const char *what)
{
    if (value->kind == kind)
        return true;
    struct kd_yaml wanted = {.kind = kind};
    kd_found_error(reader->findings, value->mark, "%s must be %s, not %s", what,
                   kd_yaml_kind_name(&wanted), kd_yaml_kind_name(value));
    return false;
}

bool kd_yaml_expect_list(struct kd_reader *reader, const struct kd_yaml *value, const char *what)
{
    if (!kd_yaml_expect(reader, value, KD_NODE_LIST, what))
        return false;
    if (value->children.n <= KD_LIST_MAX)
        return true;
    kd_found_error(reader->findings, value->mark, "%s has more than %d items", what, KD_LIST_MAX);
    return false;
}

const char *kd_yaml_text(struct kd_reader *reader, const struct kd_yaml *value)
{
    if (kd_yaml_is_scalar(value))
        return value->text;
    kd_found_error(reader->findings, value->mark, "%s must be a text, not %s", label(value),
                   kd_yaml_kind_name(value));
    return NULL;
}

void kd_read_text(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    const char *text = kd_yaml_text(reader, value);
    char **slot = target;
    if (text == NULL)
        return;
    if (*text == '\0') {
        kd_found_error(reader->findings, value->mark, "%s is empty: give it a value", label(value));
        return;
    }
    free(*slot);
    *slot = kd_strdup(text);
}

void kd_read_bool(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    if (value->kind == KD_NODE_BOOL)
        *(bool *)target = value->number != 0;
    else
        kd_found_error(reader->findings, value->mark, "%s must be true or false, not %s%s",
                       label(value), value->text ? "" : kd_yaml_kind_name(value),
                       value->text ? value->text : "");
}

int kd_yaml_number(struct kd_reader *reader, const struct kd_yaml *value, double *number)
{
    if (value->kind == KD_NODE_NUMBER) {
        *number = value->number;
    } else if (value->kind != KD_NODE_STRING || kd_number_parse(value->text, number) != 0) {
        kd_found_error(reader->findings, value->mark, "%s must be a number, not %s%s%s",
                       label(value), value->text ? "\"" : kd_yaml_kind_name(value),
                       value->text ? value->text : "", value->text ? "\"" : "");
        return -1;
    }
    if (isfinite(*number))
        return 0;
    kd_found_error(reader->findings, value->mark, "%s must be a finite number, not %s",
                   label(value), value->text);
    return -1;
}

void kd_read_number(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    double number;
    if (kd_yaml_number(reader, value, &number) == 0)
        *(double *)target = number;
}

void kd_read_positive(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    double number;
    if (kd_yaml_number(reader, value, &number) != 0)
        return;
    if (number > 0)
        *(double *)target = number;
    else
        kd_found_error(reader->findings, value->mark, "%s must be above 0, not %s", label(value),
                       value->text);
}

static void read_integer(struct kd_reader *reader, const struct kd_yaml *value, int least,
                         int *target)
{
    double number;
    if (kd_yaml_number(reader, value, &number) != 0)
        return;
    if (number == floor(number) && number >= least && number <= INT_MAX)
        *target = (int)number;
    else
        kd_found_error(reader->findings, value->mark,
                       "%s must be a whole number, at least %d, not %s", label(value), least,
                       value->text);
}

void kd_read_count(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    read_integer(reader, value, 1, target);
}

void kd_read_count0(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    read_integer(reader, value, 0, target);
}

/* 0, or -1 and a finding. */
static int read_duration(struct kd_reader *reader, const struct kd_yaml *value, double *seconds)
{
    const char *text = kd_yaml_text(reader, value);
    if (text == NULL)
        return -1;
    if (kd_duration_parse(text, seconds) != 0) {
        kd_found_error(reader->findings, value->mark,
                       "%s must be a duration such as 30s, 45m, 1h30m or plain seconds, not \"%s\"",
                       label(value), text);
        return -1;
    }
    if (*seconds <= KD_LONGEST_DURATION_S)
        return 0;
    kd_found_error(reader->findings, value->mark, "%s is %s, more than 10 years (3650d): give less",
                   label(value), text);
    return -1;
}

void kd_read_seconds(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    double seconds;
    if (read_duration(reader, value, &seconds) == 0)
        *(double *)target = seconds;
}

void kd_read_seconds_above0(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    double seconds;
    if (read_duration(reader, value, &seconds) != 0)
        return;
    if (seconds > 0)
        *(double *)target = seconds;
    else
        kd_found_error(reader->findings, value->mark,
                       "%s is %s, which nothing can keep: leave the field out for no limit",
                       label(value), value->text);
}

int kd_yaml_choice(struct kd_reader *reader, const struct kd_yaml *value, const char *what,
                   const char *const *names)
{
    const char *text = kd_yaml_text(reader, value);
    if (text == NULL)
        return -1;
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    char *hint =
        reader->findings->n_errors < ENOUGH_ERRORS ? kd_suggestion(text, names) : kd_strdup("");
    kd_found_error(reader->findings, value->mark, "unknown %s \"%s\"%s", what, text, hint);
    free(hint);
    return -1;
}
