/* overrides.h - `key=value` from the command line (yaml/overrides.h), rooted at `spec`.
 *
 * In a list of named things (parameters, algorithmSettings, env, ...) a step is the name; in
 * `parameters` min, max, step, list and distribution are found in the feasibleSpace. */
#ifndef KD_SPEC_OVERRIDES_H
#define KD_SPEC_OVERRIDES_H

#include "coordinator/yaml/overrides.h"

/* Changes the document's `spec`. What cannot be applied is found and left out. */
void kd_overrides_apply(struct kd_yaml *document, const char *const *overrides,
                        struct kd_findings *findings);

#endif
