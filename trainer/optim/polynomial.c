/* polynomial.c - (1 - progress)^power, as in Liu, Rabinovich, Berg: "ParseNet" (2015), section
 * 4. */
#include <math.h>

#include "trainer/optim/schedule.h"

enum { POWER, FLOOR };

extern const struct kd_schedule_kind kd_schedule_kind_polynomial;

static const struct kd_field fields[] = {
    {.name = "power",
     .fallback = 2,
     .min = 0,
     .max = 100,
     .help = "1 is a straight line, 0 no fall"},
    KD_FLOOR_FIELD,
    {.name = NULL},
};

static double factor(const double *values, double progress)
{
    return values[FLOOR] + (1.0 - values[FLOOR]) * pow(1.0 - progress, values[POWER]);
}

const struct kd_schedule_kind kd_schedule_kind_polynomial = {
    .name = "polynomial",
    .summary = "falls along a power of what is left",
    .fields = fields,
    .factor = factor,
};
