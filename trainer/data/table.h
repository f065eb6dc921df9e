/* table.h - the samples of one data file, as float32 rows, just as the file has them.
 *
 * Either labels (classes 0, 1, 2, ... for cross-entropy) or targets (numbers for mse) are there, never both. */
#ifndef KD_TRAINER_TABLE_H
#define KD_TRAINER_TABLE_H

#include <stdint.h>

struct kd_table {
    int64_t n, n_features, n_targets; /* n_targets: 0 with labels */
    float *x;                         /* owned, [n][n_features] */
    int32_t *labels;                  /* owned, [n], or NULL */
    float *targets;                   /* owned, [n][n_targets], or NULL */
    int32_t max_label;
    char *
        max_label_at; /* owned: "digits.csv:12", where the largest label stands; NULL without labels */
};

void kd_table_release(struct kd_table *table);

#endif
