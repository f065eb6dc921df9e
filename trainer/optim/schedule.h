/* schedule.h - one schedule = one vtable in one file, one line in schedules.def.
 *
 * A schedule is a shape over the part of training that follows the warm-up, which all of them have:
 * through the first `warmup` of all steps the factor rises in equal parts from near 0 to where the
 * schedule begins. */
#ifndef KD_TRAINER_SCHEDULE_H
#define KD_TRAINER_SCHEDULE_H

#include "trainer/optim/optimizer.h"

/* The field that falling schedules share. */
#define KD_FLOOR_FIELD                                                                             \
    {                                                                                              \
        .name = "floor", .fallback = 0, .min = 0, .max = 1,                                        \
        .help = "where it ends, as a fraction of the base rate"                                    \
    }

struct kd_schedule_kind {
    const char *name, *summary;
    const struct kd_field *fields; /* its own, without warmup; NULL = none */
    bool jumps;                    /* else a small step on is a small step of the factor */
    /* 0 .. 1, for progress from 0 (first step after the warm-up) to 1 (the step after the last);
     * values in the order of fields */
    double (*factor)(const double *values, double progress);
};

extern const struct kd_schedule_kind
    *const kd_schedule_kinds[]; /* NULL-terminated; constant first */

/* The kind's own fields, then warmup: what the user may write. Ends with a NULL name. */
void kd_schedule_fields(const struct kd_schedule_kind *kind,
                        struct kd_field fields[KD_FIELDS_MAX + 1]);

#endif
