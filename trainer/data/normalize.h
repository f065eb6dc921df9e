/* normalize.h - putting numbers on a common scale, learnt from the training part only: each feature
 * by itself, of images each channel. */
#ifndef KD_TRAINER_NORMALIZE_H
#define KD_TRAINER_NORMALIZE_H

#include <jansson.h>

#include "trainer/data/part.h"

enum kd_normalize_kind {
    KD_NORMALIZE_STANDARD, /* (x - mean) / deviation; the default */
    KD_NORMALIZE_MINMAX,   /* (x - min) / (max - min) */
    KD_NORMALIZE_NONE,
    KD_NORMALIZE_FACTOR, /* x * factor */
    KD_NORMALIZE_GIVEN,  /* (x - mean) / deviation, both given */
};

struct kd_normalize {
    enum kd_normalize_kind kind;
    double factor;
    const json_t *mean, *deviation; /* borrowed lists of as many numbers */
};

/* NULL: the default. -1: what is accepted. */
int kd_normalize_read(const json_t *given, struct kd_normalize *normalize, struct kd_error *err);

/* x becomes (x - center[j]) * factor[j], j = number of x in its sample modulo n. */
struct kd_scales {
    int64_t n;               /* 0: x stays as it is */
    double *center, *factor; /* owned */
};

/* A feature that never changes in the training part becomes 0. -1: the given numbers do not fit the
 * data. */
int kd_scales_learn(struct kd_scales *scales, const struct kd_normalize *normalize,
                    const struct kd_part *train, struct kd_error *err);
void kd_scales_release(struct kd_scales *scales);

/* Over the rows that a table owns as floats (nothing else), once and for all, in double. */
void kd_scales_apply(const struct kd_scales *scales, struct kd_table *table);

#endif
