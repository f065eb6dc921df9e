/* node.h - the parsed document: a tree of scalars, lists and mappings that know where they stand.
 *
 * A mapping's values carry their key. Scalars keep their text as written beside their value,
 * because a command line wants `0.10` as the user wrote it. Nodes own everything below them. */
#ifndef KD_YAML_NODE_H
#define KD_YAML_NODE_H

#include <stdbool.h>

#include "coordinator/base/arr.h"
#include "coordinator/yaml/findings.h"

enum kd_yaml_kind {
    KD_NODE_NULL,
    KD_NODE_BOOL,
    KD_NODE_NUMBER,
    KD_NODE_STRING,
    KD_NODE_LIST,
    KD_NODE_MAP
};

struct kd_yaml {
    enum kd_yaml_kind kind;
    struct kd_mark mark;
    char *text;    /* scalars: owned; NULL for lists and mappings */
    double number; /* KD_NODE_NUMBER, and 0 or 1 for KD_NODE_BOOL */
    char *key;     /* owned; of a mapping's value, else NULL */
    struct kd_mark key_mark;
    KD_ARR(struct kd_yaml *) children; /* owned */
};

struct kd_yaml *kd_yaml_new(enum kd_yaml_kind kind, struct kd_mark mark);
/* An unquoted scalar is resolved by the core schema of YAML 1.2: null, true, 0x10, 1e-5, .inf; a
 * quoted one is a string. Copies the text. */
struct kd_yaml *kd_yaml_new_scalar(const char *text, bool is_plain, struct kd_mark mark);
struct kd_yaml *kd_yaml_copy(const struct kd_yaml *node);
void kd_yaml_free(struct kd_yaml *node);

/* Takes the child; key is copied. */
void kd_yaml_push(struct kd_yaml *list, struct kd_yaml **child);
void kd_yaml_put(struct kd_yaml *map, const char *key, struct kd_mark key_mark,
                 struct kd_yaml **child); /* replaces what stood there */
void kd_yaml_remove_at(struct kd_yaml *parent, size_t at);

/* The value of a key, or NULL; also NULL when `map` is NULL or no mapping, or the value is null. */
struct kd_yaml *kd_yaml_get(const struct kd_yaml *map, const char *key);
/* The same along a dotted path ("spec.objective.goal"). */
struct kd_yaml *kd_yaml_at(const struct kd_yaml *root, const char *path);
/* Index of the child with this key, or -1 (finds null values too). */
int kd_yaml_key_at(const struct kd_yaml *map, const char *key);
/* Index of the list's item whose `name` is this, or -1. */
int kd_yaml_named_at(const struct kd_yaml *list, const char *name);

bool kd_yaml_is_scalar(const struct kd_yaml *node);
const char *kd_yaml_kind_name(const struct kd_yaml *node); /* "a list", "the text", ... */

/* The node a JSON pointer ("/model/0/linear") names, or the deepest one on the way; "~1" is "/",
 * "~0" is "~". */
const struct kd_yaml *kd_yaml_pointer(const struct kd_yaml *root, const char *pointer);
/* Where a person looks for it: a value, or the key of a list or a mapping. A NULL pointer is the
 * root. */
struct kd_mark kd_yaml_mark_at(const struct kd_yaml *root, const char *pointer);

#endif
