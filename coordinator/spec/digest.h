/* digest.h - what makes two specs the same: the canonical tree and its SHA-256. Pure. */
#ifndef KD_SPEC_DIGEST_H
#define KD_SPEC_DIGEST_H

#include "coordinator/yaml/node.h"

/* The `spec` mapping as compact JSON with sorted keys, without limits, goal and counts (those may
 * change while the experiment lives). Where the value counts, 0.1, "0.1" and 1e-1 are the same;
 * where the text itself reaches the trial (command, env, trialSpec, the values of a list), the text
 * counts. The caller frees. */
char *kd_canonical(const struct kd_yaml *spec);

/* The whole document as it is after overrides, in JSON, which is YAML too: reading it gives the
 * same experiment. Scalars stand as they were written. The caller frees. */
char *kd_resolved(const struct kd_yaml *root);

/* FIPS 180-4. hex: 64 digits and a NUL. */
void kd_sha256_hex(const void *bytes, size_t length, char hex[65]);

#endif
