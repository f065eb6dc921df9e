/* xxh64.h - XXH64, the checksum of checkpoints: finds damage at the speed of memory; not for
 * secrets.
 *
 * Yann Collet, "xxHash fast digest algorithm" (the specification in the xxHash project), 64-bit
 * variant. */
#ifndef KD_TRAINER_XXH64_H
#define KD_TRAINER_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t kd_xxh64(const void *bytes, size_t n, uint64_t seed);

#endif
