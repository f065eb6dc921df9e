/* placement.h - which of the free GPUs a gang gets. Pure, and the same answer for the same
 * question.
 *
 * Of all sets of the size asked for, the one that is best by, in this order:
 *   1. its worst pair. A ring of two or three goes through every pair, and a collective is as slow
 *      as its slowest hop; more NVLinks elsewhere in the gang do not make up for a pair without.
 *   2. the sum over its pairs. Where no set avoids a bad pair (more than four GPUs of a cube mesh),
 *      NCCL leads its rings around it: what counts is how many links are inside, each of which can
 *      carry a ring.
 *   3. the least sum over pairs of one inside and one that stays free: the well connected ones are
 *      left for the next gang. This alone decides for a gang of one.
 *   4. the lowest positions.
 * Exact up to KD_PLACEMENT_EXACT sets (16 GPUs, whatever is asked for). Beyond, a gang is grown
 * from each free GPU by the best next one, and the best of these gangs is taken: n * n * wanted
 * steps, 64 GPUs in well under a millisecond. */
#ifndef KD_PLACEMENT_H
#define KD_PLACEMENT_H

#include <stdbool.h>

#include "coordinator/links.h"

enum { KD_PLACEMENT_EXACT = 20000 };

/* Fills picked, ascending, with `wanted` of the n GPUs where is_free. False: there are not so many
 * of one kind (links.h). */
bool kd_placement_pick(const struct kd_links *links, const bool *is_free, int n, int wanted,
                       int *picked);

#endif
