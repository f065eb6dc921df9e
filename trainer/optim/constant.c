#include "trainer/optim/schedule.h"

extern const struct kd_schedule_kind kd_schedule_kind_constant;

static double factor(const double *values, double progress)
{
    (void)values;
    (void)progress;
    return 1.0;
}

const struct kd_schedule_kind kd_schedule_kind_constant = {
    .name = "constant",
    .summary = "the base rate all the time",
    .factor = factor,
};
