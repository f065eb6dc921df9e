/* augment.h - the `augment:` block: how training samples are changed at random, and the random
 * numbers of mixup.
 *
 * Everything is a function of (seed, step, position in the global order), so it is the same at any
 * number of ranks. */
#ifndef KD_TRAINER_AUGMENT_H
#define KD_TRAINER_AUGMENT_H

#include "trainer/data/table.h"
#include "trainer/option.h"

struct kd_augment {
    int64_t crop, cutout; /* pixels; 0: none */
    bool flip;
    double mixup; /* a of Beta(a, a); 0: none */
};

extern const struct kd_option kd_augment_options[];

struct kd_augment kd_augment_read(const json_t *block); /* checked; NULL: nothing is changed */

static inline bool kd_augment_moves_pixels(const struct kd_augment *augment)
{
    return augment->crop > 0 || augment->cutout > 0 || augment->flip;
}

/* -1: the samples are no images, or tokens. */
int kd_augment_check(const struct kd_augment *augment, const struct kd_table *table,
                     struct kd_error *err);

/* The other sample's share in a step: the smaller part of Beta(mixup, mixup) (Zhang et al.:
 * "mixup", 2018). Which of a pair is called the other changes nothing in the mean, and so a
 * sample's own label is the one that an accuracy should count. */
float kd_augment_share(const struct kd_augment *augment, uint64_t seed, int64_t step);

/* Whose partner is who in a step: a permutation of the global batch's n samples. */
void kd_augment_partners(int32_t *partners, int64_t n, uint64_t seed, int64_t step);

#endif
