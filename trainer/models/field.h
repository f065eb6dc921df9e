/* field.h - the settings that a layer, an optimizer or a schedule takes: a table that drives
 * reading, messages and --describe. */
#ifndef KD_TRAINER_FIELD_H
#define KD_TRAINER_FIELD_H

#include <jansson.h>
#include <stdbool.h>

#include "coordinator/base/error.h"
#include "coordinator/base/json.h"

enum { KD_FIELDS_MAX = 12 };

enum kd_field_kind {
    KD_FIELD_NUMBER,
    KD_FIELD_INTEGER,
    KD_FIELD_SWITCH, /* true or false, or 1 or 0; its value is 1 or 0 */
    KD_FIELD_CHOICE, /* one of the names; its value is the index */
};

struct kd_field {
    const char *name;
    enum kd_field_kind kind;
    double fallback; /* NAN: must be given */
    double min, max;
    bool below_max;             /* max itself is out of bounds */
    const char *const *choices; /* CHOICE: ends with NULL */
    const char *help;
};

/* Reads every field of `object` into values, in the table's order; what is absent gets its
 * fallback. `skip` names a key that is not a field ("name"), or is NULL. A NULL or null object is
 * an empty one. -1: the text starts with a JSON pointer, `at` being that of the object
 * ("/model/2/linear"). */
int kd_fields_read(const struct kd_field *fields, const json_t *object, const char *skip,
                   const char *at, double *values, struct kd_error *err);

/* Every field with its value, what is absent as its fallback; before them "name" where name is not
 * NULL. For settings that kd_fields_read took; a new reference. */
json_t *kd_fields_whole(const struct kd_field *fields, const char *name, const json_t *object);

/* The "fields" member of a description: [{"name", "kind", "default", "min", "max", "help"}]. */
void kd_fields_describe(const struct kd_field *fields, struct kd_json *json);

/* -1 and "<at>: unknown <what> "x"; did you mean "y"? There are: ..."; names is NULL-terminated. */
int kd_fail_unknown(struct kd_error *err, const char *at, const char *what, const char *name,
                    const char *const *names);

#endif
