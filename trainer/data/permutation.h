/* permutation.h - the order of the training samples in an epoch: one global permutation, a function
 * of (seed, epoch) alone, so that it is the same at any number of ranks and after any resume.
 *
 * Fisher-Yates over a Philox stream. */
#ifndef KD_TRAINER_PERMUTATION_H
#define KD_TRAINER_PERMUTATION_H

#include <stdint.h>

/* order[0 .. n-1] becomes a permutation of 0 .. n-1; n below 2^31. */
void kd_permutation_fill(int32_t *order, int64_t n, uint64_t seed, uint64_t epoch);

#endif
