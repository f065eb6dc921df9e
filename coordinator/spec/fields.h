/* fields.h - which fields a mapping has, as tables, and the readers of single values.
 *
 *     static const struct kd_field fields[] = {
 *         {"type", kd_read_text, offsetof(struct kd_x, type), KD_FIELD_REQUIRED},
 *         {"soon", NULL, 0, KD_FIELD_PLANNED},
 *         {0},
 *     };
 *     kd_fields_read(reader, node, fields, "spec.x", &x);
 *
 * What the table does not list is an error with a did-you-mean; what it lists as planned is refused
 * by name. */
#ifndef KD_SPEC_FIELDS_H
#define KD_SPEC_FIELDS_H

#include <stddef.h>

#include "coordinator/spec/spec_read.h"
#include "coordinator/yaml/node.h"

struct kd_reader {
    struct kd_findings *findings;
    struct kd_experiment *experiment;
    const struct kd_spec_options *options;
    struct kd_yaml *root;
    struct kd_str *idle; /* names of accepted fields without effect here, warned of once */
};

enum kd_field_flags {
    KD_FIELD_REQUIRED = 1 << 0,
    KD_FIELD_OURS = 1 << 1,    /* an addition of katydid/v1; refused in a Katib file */
    KD_FIELD_PLANNED = 1 << 2, /* known, not built yet: refused by name */
    KD_FIELD_IDLE = 1 << 3,    /* accepted; has no effect without a cluster; warned of */
    KD_FIELD_QUIET = 1 << 4,   /* accepted; descriptive, or its effect is what we do anyway */
};

/* Reads value into target; what is wrong goes to reader->findings. value is never null. */
typedef void kd_field_read(struct kd_reader *reader, const struct kd_yaml *value, void *target);

struct kd_field {
    const char *name; /* NULL ends the table */
    kd_field_read *read;
    size_t offset; /* of the target in `into` */
    unsigned flags;
};

/* where: the mapping's name for messages ("spec.objective"); "" for the document. */
void kd_fields_read(struct kd_reader *reader, const struct kd_yaml *map,
                    const struct kd_field *fields, const char *where, void *into);

/* A finding when the mapping has no such field, or an empty one: for fields that are required at
 * times only. */
void kd_field_require(struct kd_reader *reader, const struct kd_yaml *map, const char *name,
                      const char *where);

/* Targets by reader: char * (owned; freed before it is replaced), bool, double, int, double
 * seconds. Numbers may be written as texts, as Katib does. */
void kd_read_text(struct kd_reader *reader, const struct kd_yaml *value, void *target);
void kd_read_bool(struct kd_reader *reader, const struct kd_yaml *value, void *target);
void kd_read_number(struct kd_reader *reader, const struct kd_yaml *value, void *target);
void kd_read_positive(struct kd_reader *reader, const struct kd_yaml *value, void *target);
void kd_read_count(struct kd_reader *reader, const struct kd_yaml *value, void *target);  /* >= 1 */
void kd_read_count0(struct kd_reader *reader, const struct kd_yaml *value, void *target); /* >= 0 */
/* Timers count microseconds in 64 bits; ten years leave room for every sum of them. */
enum { KD_LONGEST_DURATION_S = 3650 * 86400 };
/* A duration from 0 s to that. */
void kd_read_seconds(struct kd_reader *reader, const struct kd_yaml *value, void *target);
/* The same where 0 would mean "no limit": leaving the field out says that. */
void kd_read_seconds_above0(struct kd_reader *reader, const struct kd_yaml *value, void *target);

/* The number of a scalar; -1 and a finding when it is none. */
int kd_yaml_number(struct kd_reader *reader, const struct kd_yaml *value, double *number);
/* Index among the NULL-terminated names, or -1 and a finding with the names and a did-you-mean. */
int kd_yaml_choice(struct kd_reader *reader, const struct kd_yaml *value, const char *what,
                   const char *const *names);
/* The text of a scalar (a number's as written); NULL and a finding when it is a list or a mapping.
 * Borrowed. */
const char *kd_yaml_text(struct kd_reader *reader, const struct kd_yaml *value);
/* Is it of this kind? If not: finding. */
bool kd_yaml_expect(struct kd_reader *reader, const struct kd_yaml *value, enum kd_yaml_kind kind,
                    const char *what);

/* The same for a list, of at most KD_LIST_MAX items: looking for repeats is quadratic. */
enum { KD_LIST_MAX = 1000 };
bool kd_yaml_expect_list(struct kd_reader *reader, const struct kd_yaml *value, const char *what);

#endif
