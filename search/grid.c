/* grid.c - every point of a finite space once: the trial's number, written in the mixed radix of
 * the parameters' counts, is the point. The product itself is never made, so 10^12 points cost
 * nothing.
 *
 * In order the last parameter turns fastest. With `random_state` the positions are visited as
 * (offset + stride * k) mod size, the stride coprime to the size: a permutation that spreads early
 * trials over the whole space. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "search/strategy.h"

struct grid {
    const struct kd_space *space;
    uint64_t size, offset, stride;
};

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void shuffle(struct grid *self, uint64_t seed)
{
    struct kd_rng rng = kd_rng_at(seed, 0);
    self->offset = kd_rng_below(&rng, self->size);
    do
        self->stride = 1 + kd_rng_below(&rng, self->size);
    while (common_divisor(self->stride, self->size) != 1);
}

static void *grid_new(const struct kd_task *task, const struct kd_settings *settings, uint64_t seed,
                      struct kd_error *err)
{
    double size = kd_space_size(task->space);
    if (size > KD_SPACE_COUNTABLE) {
        kd_fail(err,
                "grid: the parameters have %.3g combinations, more than can be numbered; "
                "use larger steps or another algorithm",
                size);
        return NULL;
    }
    struct grid *self = KD_NEW(struct grid);
    *self = (struct grid){.space = task->space, .size = (uint64_t)size, .stride = 1};
    if (kd_settings_given(settings, "random_state"))
        shuffle(self, seed);
    return self;
}

static void point_at(const struct grid *self, uint64_t k, double *point)
{
    __uint128_t product = (__uint128_t)self->stride * (k % self->size);
    uint64_t at = (uint64_t)((product + self->offset) % self->size);
    kd_space_nth(self->space, at, point);
}

/* From the trial's own position on, the first point nobody had: points that a user enqueued shift
 * the rest. */
static int ask_one(void *self_, const struct kd_history *history, double *point)
{
    const struct grid *self = self_;
    uint64_t tries = (uint64_t)history->n_distinct + 1;
    uint64_t number = (uint64_t)(history->n - history->n_prior);
    for (uint64_t k = 0; k < tries && k < self->size; k++) {
        point_at(self, number + k, point);
        if (!kd_history_has(history, point))
            return 1;
    }
    return 0;
}

static int grid_ask(void *self, const struct kd_history *history, int n, double *points)
{
    return kd_ask_in_turn(ask_one, self, history, n, points);
}

static const struct kd_setting grid_settings[] = {
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL,
     "visit the points in a shuffled order made from this seed; without it, in order"},
    {0},
};

const struct kd_strategy kd_strategy_grid = {
    .name = "grid",
    .summary = "every combination once; a double needs a step",
    .settings = grid_settings,
    .needs = KD_NEEDS_FINITE,
    .can = KD_CAN_CONDITIONS | KD_CAN_OBJECTIVES | KD_CAN_CONSTRAINTS,
    .new = grid_new,
    .ask = grid_ask,
    .free = free,
};
