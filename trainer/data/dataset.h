/* dataset.h - the samples that a trial trains and validates on: loaded, split, normalised, in memory.
 *
 * Data sets are kept between the trials of a warm gang, keyed by what they were made from: the `data:` block, and each
 * file's size and time of change. The training part comes first, the held-out part after it. The split is a function of
 * its seed alone; normalisation is learnt from the training part only. */
#ifndef KD_TRAINER_DATASET_H
#define KD_TRAINER_DATASET_H

#include "coordinator/base/arr.h"
#include "trainer/data/format.h"

struct kd_data_config {
    const struct kd_data_format *format;
    const json_t *block; /* borrowed */
    const char *base_dir;
    bool classes; /* the loss wants labels */
};

struct kd_dataset {
    struct kd_table rows; /* training rows first */
    int64_t n_train, n_val;
    char *key;
};

/* Where row i (0 .. n_val-1) of the held-out part begins: */
#define KD_DATASET_VAL_AT(dataset) ((dataset)->n_train)

struct kd_datasets {
    KD_ARR(struct kd_dataset *) kept; /* most recently used last */
};

void kd_datasets_release(struct kd_datasets *datasets);

/* The data set of a configuration, from memory or from its files; borrowed until the next call. NULL and err. */
const struct kd_dataset *kd_datasets_get(struct kd_datasets *datasets,
                                         const struct kd_data_config *config, struct kd_error *err);

/* The fields that all formats share, and their checking (the format's own are checked with them). */
extern const struct kd_option kd_data_options[];
void kd_data_check(const json_t *block, const char *base_dir, struct kd_data_config *config,
                   struct kd_problems *problems);

/* Shape (n_features, n_targets) from the first row, without reading a large file; a small one is read whole, so that its
 * mistakes are found before a trial starts. max_label is -1 where it is not known yet. */
struct kd_data_shape {
    int64_t n_features, n_targets;
    int32_t max_label;
    char max_label_at[512];
};
int kd_data_peek(const struct kd_data_config *config, struct kd_data_shape *shape,
                 struct kd_error *err);

#endif
