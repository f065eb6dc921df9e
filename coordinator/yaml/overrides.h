/* overrides.h - `key=value` from the command line, in Hydra's grammar.
 *
 *     lr.max=1       sets, makes the field when it is not there (the field's table decides whether it may be)
 *     +key=value     adds; it must not be there        ++key=value  sets in any case
 *     ~key           takes out; it must be there       ~key=value   ... and have this value
 *
 * A key is a dotted path from the root. In a list a step is the `name` of an item, or the index
 * from 0. Values are YAML. */
#ifndef KD_YAML_OVERRIDES_H
#define KD_YAML_OVERRIDES_H

#include "coordinator/yaml/node.h"

/* What the grammar has to know of the document. */
struct kd_override_rules {
    const char *what, *example; /* for messages: "the spec", "parameters.lr.max=0.03" */
    const char *const *
        named_lists; /* NULL-terminated keys of lists of named things: an override may start one and add
                                       to it by name; or NULL */
    /* The mapping inside `node` that a step means; may be NULL. */
    struct kd_yaml *(*through)(struct kd_yaml *node, const char *step);
};

/* Changes the tree. What cannot be applied is found and left out; every mark it makes is `text`,
 * which is to live as long as the tree. */
void kd_override_apply(struct kd_yaml *root, const char *text,
                       const struct kd_override_rules *rules, struct kd_findings *findings);

/* For a root that has no field `name`, which an override wanted: "; did you mean "optimizer.lr"?",
 * where the tree has a field or a named item of this name below one of the root's, the shallowest;
 * with is_near of a name near it too. NULL: it has not. The caller frees. */
char *kd_override_hint(const struct kd_yaml *root, const char *name, bool is_near);

#endif
