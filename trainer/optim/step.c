/* step.c - the rate drops by a factor at equal distances. */
#include <math.h>

#include "trainer/optim/schedule.h"

enum { DROPS, FACTOR };

extern const struct kd_schedule_kind kd_schedule_kind_step;

static const struct kd_field fields[] = {
    {.name = "drops",
     .kind = KD_FIELD_INTEGER,
     .fallback = 2,
     .min = 1,
     .max = 1e6,
     .help = "how many times the rate drops, at equal distances"},
    {.name = "factor",
     .fallback = 0.1,
     .min = 0,
     .max = 1,
     .help = "what the rate is multiplied by at each drop"},
    {.name = NULL},
};

static double factor(const double *values, double progress)
{
    double stage = floor(progress * (values[DROPS] + 1.0));
    return pow(values[FACTOR], fmin(stage, values[DROPS]));
}

const struct kd_schedule_kind kd_schedule_kind_step = {
    .name = "step",
    .summary = "drops by a factor at equal distances",
    .fields = fields,
    .jumps = true,
    .factor = factor,
};
