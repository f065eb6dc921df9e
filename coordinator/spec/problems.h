/* problems.h - what was found in a spec, as the texts that the rest of the coordinator shows. */
#ifndef KD_SPEC_PROBLEMS_H
#define KD_SPEC_PROBLEMS_H

#include "coordinator/spec/spec_read.h"
#include "coordinator/yaml/findings.h"

/* Moves everything that was found to `out`, in order of position; findings is released. */
void kd_problems_take(struct kd_problems *out, struct kd_findings *findings);

#endif
