/* random.c - independent draws from the parameters' distributions; a point depends on nothing but
 * (seed, number). */
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/axis.h"
#include "search/strategy.h"

struct random {
    int n_params;
    struct kd_axis *axes;
    uint64_t seed;
};

static void *random_new(const struct kd_task *task, const struct kd_settings *settings,
                        uint64_t seed, struct kd_error *err)
{
    (void)settings, (void)err;
    struct random *self = KD_NEW(struct random);
    *self = (struct random){
        .n_params = task->space->n_params, .axes = kd_axes_new(task->space), .seed = seed};
    return self;
}

static int random_ask(void *self_, const struct kd_history *history, int n, double *points)
{
    const struct random *self = self_;
    for (int i = 0; i < n; i++) {
        struct kd_rng rng = kd_rng_at(self->seed, (uint64_t)history->n + (uint64_t)i);
        for (int j = 0; j < self->n_params; j++)
            *points++ = kd_axis_draw(&self->axes[j], &rng);
    }
    return n;
}

static void random_free(void *self_)
{
    struct random *self = self_;
    if (self)
        free(self->axes);
    free(self);
}

static const struct kd_setting random_settings[] = {
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_strategy kd_strategy_random = {
    .name = "random",
    .summary = "independent draws from each parameter's distribution",
    .settings = random_settings,
    .can = KD_CAN_CONDITIONS | KD_CAN_OBJECTIVES | KD_CAN_CONSTRAINTS,
    .new = random_new,
    .ask = random_ask,
    .free = random_free,
};
