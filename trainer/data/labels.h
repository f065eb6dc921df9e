/* labels.h - the answers that go with samples, taken from a file one by one: class labels, or
 * numbers where the loss wants those. */
#ifndef KD_TRAINER_LABELS_H
#define KD_TRAINER_LABELS_H

#include "trainer/data/format.h"

/* Can the loss not take this number as a target? Behind "... is 2". */
bool kd_target_is_no_share(const struct kd_data_source *source, double value);
#define KD_TARGET_NO_SHARE ", but bce wants targets between 0 and 1; scale them, or use mse"

/* Room for table->n answers: labels, or one target each where the loss wants numbers. */
void kd_labels_begin(struct kd_table *table, const struct kd_data_source *source);

/* The answer of sample i. -1: not a class (a whole number from 0 to most, or the ignored one), or
 * not a share where the loss wants those; the caller says where. */
int kd_labels_take(struct kd_table *table, const struct kd_data_source *source, int64_t i,
                   double value, int64_t most);

/* Mistakes that only all labels show. `at` (taken over) is where the largest stands. */
int kd_labels_end(struct kd_table *table, const char *path, char *at, struct kd_error *err);

#endif
