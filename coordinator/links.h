/* links.h - how well each pair of GPUs is connected, as numbers to compare. Pure.
 *
 * Where they come from is launch/topology.h, what they decide placement.h. They travel in the
 * STARTED event, so that a journal that is read again places every gang where it was. A struct of
 * zeros: all pairs are alike, or nothing is known. */
#ifndef KD_LINKS_H
#define KD_LINKS_H

#include <jansson.h>
#include <stdint.h>

#include "coordinator/base/error.h"

enum {
    KD_LINKS_MAX = 64, /* GPUs */
    /* A gang never has both: a whole GPU and a MIG instance. "May share a gang" parts the GPUs into
     * kinds. */
    KD_LINK_NEVER = -1,
    KD_LINK_MOST = INT16_MAX
};

struct kd_links {
    int16_t score[KD_LINKS_MAX][KD_LINKS_MAX]; /* higher is better; symmetric, the diagonal is 0 */
};

void kd_links_set(struct kd_links *links, int i, int j, int score); /* both ways */

/* The lowest position of i's kind: two GPUs may share a gang when theirs are equal. */
int kd_links_kind(const struct kd_links *links, int i);

/* The pairs of n GPUs as one list: 0-1, 0-2, 1-2, 0-3, ... Owned; NULL when all scores are 0. */
json_t *kd_links_to_json(const struct kd_links *links, int n);
/* NULL is all 0. -1: not a list of n * (n - 1) / 2 scores. */
int kd_links_from_json(const json_t *list, int n, struct kd_links *links, struct kd_error *err);

#endif
