/* tree.h - from YAML text to nodes, safely.
 *
 * The file is the user's, and may be anything: it is read through libyaml's events with limits (1
 * MiB, 64 levels, 200,000 nodes after aliases are expanded, 1,000 aliases), so that neither a wall
 * of brackets nor an alias bomb costs more than a moment. Refused with a place and a way out:
 * duplicate keys, cyclic aliases, several documents, tags of one's own, `<<` merges, tabs, an
 * unquoted ${x} inside [ ] or { }. */
#ifndef KD_YAML_TREE_H
#define KD_YAML_TREE_H

#include "coordinator/yaml/node.h"

enum {
    KD_TREE_MAX_BYTES = 1 << 20,
    KD_TREE_MAX_DEPTH = 64,
    KD_TREE_MAX_NODES = 200000,
    KD_TREE_MAX_ALIASES = 1000,
    KD_TREE_MAX_KEYS = 1000, /* of one mapping: looking for repeats is quadratic */
};

/* NULL when something was found (findings says what) or, without a finding, when the text holds no
 * document. findings->source is the text to parse. */
struct kd_yaml *kd_tree_parse(struct kd_findings *findings);

/* The YAML value of an override: every mark is the override. NULL and a finding when it is no
 * YAML. */
struct kd_yaml *kd_tree_parse_value(const char *text, const char *origin,
                                    struct kd_findings *findings);

#endif
