/* part.h - which samples of a table are trained on, or validated on: a list of their numbers,
 * nothing copied. */
#ifndef KD_TRAINER_PART_H
#define KD_TRAINER_PART_H

#include "trainer/data/table.h"

struct kd_part {
    const struct kd_table *table; /* borrowed */
    int32_t *index;               /* owned, [n]; NULL: all of the table in its order */
    int64_t n;
};

struct kd_part kd_part_whole(const struct kd_table *table);
void kd_part_release(struct kd_part *part);

static inline int32_t kd_part_row(const struct kd_part *part, int64_t i)
{
    return part->index ? part->index[i] : (int32_t)i;
}

/* Holds out a share of the samples: chosen by the seed alone; of tokens the last ones, and what
 * overlaps them is left out of the training part. -1: none would be left to train on. */
int kd_part_split(const struct kd_table *table, double share, uint64_t seed, struct kd_part *train,
                  struct kd_part *val, struct kd_error *err);

/* Rows of the loss: samples whose label is not ignored; of tokens every one. */
int64_t kd_part_count_rows(const struct kd_part *part);

#endif
