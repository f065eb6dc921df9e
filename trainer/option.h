/* option.h - the options of a JSON object, declared as a table: kind, default, bounds, help.
 *
 * The tables are the only place where an option's name, default and bounds stand; checking, reading
 * and `--describe` all go through them. */
#ifndef KD_TRAINER_OPTION_H
#define KD_TRAINER_OPTION_H

#include <jansson.h>
#include <stdbool.h>

#include "coordinator/base/json.h"
#include "trainer/problems.h"

/* X(constant, name in --describe, what is accepted, in words) */
#define KD_OPTION_KINDS(X)                                                                         \
    X(NUMBER, "number", "a number")                                                                \
    X(INT, "integer", "an integer")                                                                \
    X(TEXT, "text", "a text")                                                                      \
    X(FILE, "file", "a path")                                                                      \
    X(FILES, "files", "a path or a list of paths")                                                 \
    X(CHOICE, "choice", "one of the names")                                                        \
    X(BOOL, "boolean", "true or false")                                                            \
    X(SWITCH, "switch", "true, false or auto")                                                     \
    X(COLUMN, "column", "a column: an index from 0 (negative: from the end) or a header name")     \
    X(COLUMNS, "columns", "a list of columns (indices from 0, or header names)")                   \
    X(OBJECT, "object", "an object")                                                               \
    X(LIST, "list", "a list")                                                                      \
    X(OWN, "own", "see its own entry")

enum kd_option_kind {
#define X(constant, name, words) KD_OPTION_##constant,
    KD_OPTION_KINDS(X)
#undef X
};

struct kd_option {
    const char *name;
    enum kd_option_kind kind;
    const char *fallback;           /* default, as JSON text; NULL: none */
    double min, max;                /* NUMBER and INT, inclusive */
    const char *const *choices;     /* CHOICE: NULL-terminated */
    const struct kd_option *fields; /* OBJECT: its options, ending with a NULL name */
    bool required;
    const char *help; /* one line */
};

/* Checks an object against tables (NULL-terminated list of tables): unknown names with a
 * did-you-mean, missing required ones, wrong kinds, values out of bounds. KD_OPTION_OWN is left to
 * whoever owns it. True: no problem was added. */
bool kd_options_check(const struct kd_option *const *tables, const json_t *object,
                      const char *pointer, struct kd_problems *problems);

/* The value in a checked object, or the default. Asking for a field that is not in the table is a
 * bug. */
double kd_option_number(const struct kd_option *table, const json_t *object, const char *name);
int64_t kd_option_int(const struct kd_option *table, const json_t *object, const char *name);
const char *kd_option_text(const struct kd_option *table, const json_t *object,
                           const char *name); /* borrowed; NULL: not given and no default */
int kd_option_choice(const struct kd_option *table, const json_t *object,
                     const char *name); /* index into choices */

/* The default of an option that has one; a new reference. */
json_t *kd_option_default(const struct kd_option *option);

/* The "fields" member of a description, into the open object:
 * [{"name", "kind", "required", "default", "min", "max", "choices", "help", "fields"}], what does
 * not apply left out. */
void kd_options_describe(const struct kd_option *table, struct kd_json *json);

const char *kd_json_kind_name(const json_t *value); /* "a text", "a list", ... for messages */

#endif
