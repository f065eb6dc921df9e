/* linear.c - the rate falls in a straight line. */
#include "trainer/optim/schedule.h"

enum { FLOOR };

extern const struct kd_schedule_kind kd_schedule_kind_linear;

static const struct kd_field fields[] = {
    KD_FLOOR_FIELD,
    {.name = NULL},
};

static double factor(const double *values, double progress)
{
    return 1.0 - (1.0 - values[FLOOR]) * progress;
}

const struct kd_schedule_kind kd_schedule_kind_linear = {
    .name = "linear",
    .summary = "falls in a straight line",
    .fields = fields,
    .factor = factor,
};
