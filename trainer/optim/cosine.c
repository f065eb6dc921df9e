/* cosine.c - Loshchilov, Hutter: "SGDR: stochastic gradient descent with warm restarts" (2017), eq.
 * 5, one cycle. */
#include <math.h>

#include "trainer/optim/schedule.h"

#define PI 3.14159265358979323846

enum { FLOOR };

extern const struct kd_schedule_kind kd_schedule_kind_cosine;

static const struct kd_field fields[] = {
    KD_FLOOR_FIELD,
    {.name = NULL},
};

static double factor(const double *values, double progress)
{
    return values[FLOOR] + (1.0 - values[FLOOR]) * 0.5 * (1.0 + cos(PI * progress));
}

const struct kd_schedule_kind kd_schedule_kind_cosine = {
    .name = "cosine",
    .summary = "falls along half a cosine",
    .fields = fields,
    .factor = factor,
};
