/* normalize.h - putting features on a common scale, learnt from the training rows only. */
#ifndef KD_TRAINER_NORMALIZE_H
#define KD_TRAINER_NORMALIZE_H

#include <jansson.h>

#include "coordinator/base/error.h"
#include "trainer/data/table.h"

enum kd_normalize_kind {
    KD_NORMALIZE_STANDARD, /* (x - mean) / deviation; the default */
    KD_NORMALIZE_MINMAX,   /* (x - min) / (max - min) */
    KD_NORMALIZE_NONE,
    KD_NORMALIZE_FACTOR, /* x * factor */
};

struct kd_normalize {
    enum kd_normalize_kind kind;
    double factor;
};

/* NULL: the default. -1: what is accepted. */
int kd_normalize_read(const json_t *given, struct kd_normalize *normalize, struct kd_error *err);

/* Over all rows, with statistics of the first n_train. A feature that never changes becomes 0. */
void kd_normalize_apply(const struct kd_normalize *normalize, struct kd_table *rows,
                        int64_t n_train);

#endif
