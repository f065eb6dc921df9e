/* wsd.c - warm-up, stable, decay (Hu et al.: "MiniCPM", 2024, section 4): the base rate, then a
 * fall at the end. The warm-up is the one that all schedules have. */
#include <math.h>

#include "trainer/optim/schedule.h"

#define PI 3.14159265358979323846

enum { DECAY, SHAPE, FLOOR };

static const char *const shapes[] = {"linear", "cosine", "sqrt", NULL};

extern const struct kd_schedule_kind kd_schedule_kind_wsd;

static const struct kd_field fields[] = {
    {.name = "decay",
     .fallback = 0.2,
     .min = 0,
     .max = 1,
     .help = "share of the steps at the end in which the rate falls"},
    {.name = "shape",
     .kind = KD_FIELD_CHOICE,
     .choices = shapes,
     .help = "along what it falls; sqrt is one minus the root"},
    KD_FLOOR_FIELD,
    {.name = NULL},
};

static double linear(double share)
{
    return 1.0 - share;
}

static double cosine(double share)
{
    return 0.5 * (1.0 + cos(PI * share));
}

static double root(double share)
{
    return 1.0 - sqrt(share);
}

static double factor(const double *values, double progress)
{
    static double (*const falls[])(double share) = {linear, cosine, root};
    double stable = 1.0 - values[DECAY];
    if (progress <= stable)
        return 1.0;
    double left = falls[(int)values[SHAPE]](fmin((progress - stable) / values[DECAY], 1.0));
    return values[FLOOR] + (1.0 - values[FLOOR]) * left;
}

const struct kd_schedule_kind kd_schedule_kind_wsd = {
    .name = "wsd",
    .summary = "stays, then falls at the end (warm-up, stable, decay)",
    .fields = fields,
    .factor = factor,
};
