/* one_cycle.c - up and down along half cosines (Smith, Topin: "Super-convergence", 2018; in the two
 * phases that PyTorch and fast.ai made of it). */
#include <math.h>

#include "trainer/optim/schedule.h"

#define PI 3.14159265358979323846

enum { RISE, INITIAL, FINAL };

extern const struct kd_schedule_kind kd_schedule_kind_oneCycle;

static const struct kd_field fields[] = {
    {.name = "rise",
     .fallback = 0.3,
     .min = 0,
     .max = 1,
     .help = "share of the steps in which the rate rises"},
    {.name = "initial",
     .fallback = 25,
     .min = 1,
     .max = 1e9,
     .help = "it begins at the base rate divided by this"},
    {.name = "final",
     .fallback = 1e4,
     .min = 1,
     .max = 1e9,
     .help = "it ends at where it began divided by this"},
    {.name = NULL},
};

static double between(double from, double to, double share)
{
    return to + (from - to) * 0.5 * (1.0 + cos(PI * share));
}

static double factor(const double *values, double progress)
{
    double rise = values[RISE], begin = 1.0 / values[INITIAL];
    if (progress < rise)
        return between(begin, 1.0, progress / rise);
    return between(1.0, begin / values[FINAL], rise < 1 ? (progress - rise) / (1.0 - rise) : 0.0);
}

const struct kd_schedule_kind kd_schedule_kind_oneCycle = {
    .name = "oneCycle",
    .summary = "rises from a fraction of the base rate, then falls to nearly nothing",
    .fields = fields,
    .factor = factor,
};
