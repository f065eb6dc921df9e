/* dataset.h - the samples that a trial trains and validates on: opened, split, with their scales
 * learnt.
 *
 * Data sets are kept between the trials of a warm gang, keyed by what they were made from: the
 * `data:` block (without `augment`), and each file's size and time of change. The split is a
 * function of its seed alone; normalisation is learnt from the training part only. */
#ifndef KD_TRAINER_DATASET_H
#define KD_TRAINER_DATASET_H

#include "coordinator/base/arr.h"
#include "trainer/data/data_config.h"
#include "trainer/data/normalize.h"

struct kd_dataset {
    struct kd_table rows, val_rows; /* val_rows: of separate validation files, else empty */
    struct kd_part train, val;
    struct kd_scales
        scales; /* what is left to do when a batch is made: none for rows owned as floats */
    char *key;
};

struct kd_datasets {
    KD_ARR(struct kd_dataset *) kept; /* most recently used last */
};

void kd_datasets_release(struct kd_datasets *datasets);

/* The data set of a configuration, from memory or from its files; borrowed until the next call.
 * NULL and err. */
const struct kd_dataset *kd_datasets_get(struct kd_datasets *datasets,
                                         const struct kd_data_config *config, struct kd_error *err);

/* What a model must fit. max_label is -1 where it is not known yet. */
struct kd_data_shape {
    struct kd_shape shape; /* of one sample */
    int64_t vocabulary;    /* of tokens; 0: no tokens */
    int64_t n_targets;     /* 0: labels */
    int32_t max_label;     /* of tokens the last of the vocabulary */
    char max_label_at[512];
};

void kd_dataset_shape(const struct kd_dataset *dataset, struct kd_data_shape *shape);

/* The shape without reading large files; small ones are read whole, so that their mistakes are
 * found before a trial starts. */
int kd_data_peek(const struct kd_data_config *config, struct kd_data_shape *shape,
                 struct kd_error *err);

#endif
