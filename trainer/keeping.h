/* keeping.h - which checkpoints stay: the last ones, and the best ones by a metric. */
#ifndef KD_TRAINER_KEEPING_H
#define KD_TRAINER_KEEPING_H

#include <stddef.h>

#include "trainer/report.h"

struct kd_keeping {
    int64_t last; /* so many of the newest, 1 or more */
    int64_t best; /* and so many of the best */
    enum kd_metric_kind metric;
};

/* One that was written. */
struct kd_kept {
    int64_t step; /* optimizer steps */
    double
        score; /* the metric in the report of that very step; NaN: there was none, or it was not finite */
};

/* Drops from kept[n], the oldest first, those that are not to stay; returns how many are left. Of
 * equal scores the newer one is the better: it has been trained longer. */
size_t kd_keeping_apply(const struct kd_keeping *keeping, struct kd_kept *kept, size_t n);

#endif
