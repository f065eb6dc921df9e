/* difference.h - what differs between two trees of JSON, said with the paths that overrides use. */
#ifndef KD_YAML_DIFFERENCE_H
#define KD_YAML_DIFFERENCE_H

#include <jansson.h>
#include <stdbool.h>

#include "coordinator/base/str.h"

struct kd_difference_rules {
    const char *unsaid; /* a step that paths leave out; or NULL */
    /* Do two texts that differ say the same? NULL: never. */
    bool (*says_the_same)(void *ud, const char *before, const char *after);
    void *ud;
};

/* Adds a line for each difference, "parameters.lr.max: 0.1 -> 0.3", none of them for numbers of
 * equal value. path: of the two trees themselves, "" for none; either of them may be NULL. Items of
 * a list that have a `name` are told by it. */
void kd_difference_add(struct kd_str *out, const char *path, const json_t *before,
                       const json_t *after, const struct kd_difference_rules *rules);

#endif
