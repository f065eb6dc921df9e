/* overrides.h - `key=value` from the command line, in Hydra's grammar, rooted at `spec`.
 *
 *     lr.max=1       sets, makes the field when it is not there (the field's table decides whether it may be)
 *     +key=value     adds; it must not be there        ++key=value  sets in any case
 *     ~key           takes out; it must be there       ~key=value   ... and have this value
 *
 * A key is a dotted path. In a list of named things (parameters, algorithmSettings, env, ...) a step is the name, or
 * the index from 0; in `parameters` min, max, step, list and distribution are found in the feasibleSpace. Values are
 * YAML. */
#ifndef KD_SPEC_OVERRIDES_H
#define KD_SPEC_OVERRIDES_H

#include "coordinator/spec/node.h"

/* Changes the document's `spec`. What cannot be applied is found and left out. */
void kd_overrides_apply(struct kd_node *document, const char *const *overrides,
                        struct kd_findings *findings);

#endif
