/* source.h - where a device reads samples from: files as they are mapped, a copy of them in its
 * memory, or a batch's samples that are packed and sent.
 *
 *     the CPU:                 in place
 *     a table that fits:       copied to the device once, and kept while trials use the same data set
 *     a larger one:            the batch's samples are put together on the host and sent (parcel.h,
 *                              lane.h), while the device is at work on the batches before */
#ifndef KD_TRAINER_SOURCE_H
#define KD_TRAINER_SOURCE_H

#include "kernels/device.h"
#include "trainer/data/dataset.h"
#include "trainer/data/parcel.h"

/* A table on the device; memory NULL: it is not there. */
struct kd_held_table {
    const struct kd_table *table; /* borrowed */
    char *memory;                 /* the device's */
    int64_t origin;               /* the table's offset that memory begins with */
};

struct kd_source {
    const struct kd_device *device; /* borrowed */
    char *key;                      /* of the data set whose tables are held */
    struct kd_held_table tables[2]; /* rows and val_rows */
    struct kd_parcel packed[2];     /* one batch's samples, of each side (mixup has two) */
    int64_t packed_used[2];         /* bytes */
};

void kd_source_init(struct kd_source *source, const struct kd_device *device, int first_mark);
void kd_source_release(struct kd_source *source);

/* For batches of up to max_batch samples of a data set, of n_sides sets of them. A table is held
 * when it takes no more than half of the device's memory that is free and that the plan will not
 * take, as plans of other shapes come after it. */
void kd_source_prepare(struct kd_source *source, struct kd_plan *plan,
                       const struct kd_dataset *dataset, int64_t max_batch, int n_sides);

/* Gives the tables' memory back, until they are prepared again. Had it any? */
bool kd_source_drop(struct kd_source *source);

/* places[n]: numbers of samples of the table; they become where those begin, in bytes (of tokens in
 * elements) from the memory of kd_source_memory. side: 0 or 1, of a batch that is made of two sets
 * of samples. */
void kd_source_place(struct kd_source *source, struct kd_plan *plan, int side,
                     const struct kd_table *table, int64_t *places, int64_t n);

/* The device's memory that the side's places are counted from, with the samples in it; valid until
 * the side is placed again. */
const void *kd_source_memory(struct kd_source *source, struct kd_plan *plan, int side,
                             const struct kd_table *table);

#endif
