/* sobol.c - quasi-random points: the trial's own number is the index in Sobol's sequence
 * (sobol_points.h), and each coordinate is a quantile of its parameter's distribution. A point
 * depends on nothing but (seed, number). */
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/axis.h"
#include "search/math/sobol_points.h"
#include "search/strategy.h"

struct sobol {
    struct kd_axis *axes;
    struct kd_sobol sequence;
    uint64_t seed;
    bool scramble;
};

static void *sobol_new(const struct kd_task *task, const struct kd_settings *settings,
                       uint64_t seed, struct kd_error *err)
{
    int n_params = task->space->n_params;
    if (n_params > KD_SOBOL_DIMS) {
        kd_fail(err, "there are %d parameters, and algorithm sobol takes %d at most; use random",
                n_params, KD_SOBOL_DIMS);
        return NULL;
    }
    struct sobol *self = KD_NEW(struct sobol);
    *self = (struct sobol){.axes = kd_axes_new(task->space),
                           .seed = seed,
                           .scramble = kd_settings_number(settings, "scramble") != 0};
    kd_sobol_init(&self->sequence, n_params);
    return self;
}

static int sobol_ask(void *self_, const struct kd_history *history, int n, double *points)
{
    const struct sobol *self = self_;
    int n_params = self->sequence.n_dims;
    for (int i = 0; i < n; i++, points += n_params) {
        uint32_t index = (uint32_t)(history->n - history->n_prior + i);
        if (self->scramble)
            kd_sobol_scrambled(&self->sequence, self->seed, index, points);
        else
            kd_sobol_plain(&self->sequence, index, points);
        for (int j = 0; j < n_params; j++)
            points[j] = kd_axis_quantile(&self->axes[j], points[j]);
    }
    return n;
}

static void sobol_free(void *self_)
{
    struct sobol *self = self_;
    if (!self)
        return;
    kd_sobol_release(&self->sequence);
    free(self->axes);
    free(self);
}

static const struct kd_setting sobol_settings[] = {
    {"scramble", KD_SETTING_BOOL, "true", 0, 1, NULL,
     "permute the digits by the seed; false: the plain sequence, the same for every seed"},
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_strategy kd_strategy_sobol = {
    .name = "sobol",
    .summary = "quasi-random points that fill the space evenly",
    .settings = sobol_settings,
    .can = KD_CAN_CONDITIONS | KD_CAN_OBJECTIVES | KD_CAN_CONSTRAINTS,
    .new = sobol_new,
    .ask = sobol_ask,
    .free = sobol_free,
};
