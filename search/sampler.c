/* sampler.c - a strategy at work, and the promise that a finite space is never asked twice for the same point. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "coordinator/base/str.h"
#include "search/axis.h"
#include "search/strategy.h"

/* Marks the streams of replacements, so that they never meet a strategy's own, which are trial numbers. */
#define REPLACEMENT_STREAM ((uint64_t)1 << 63)

struct kd_sampler {
    const struct kd_strategy *strategy;
    const struct kd_space *space;
    struct kd_axis *axes;
    void *self;
    uint64_t seed;
    double size; /* of the space */
};

static uint64_t seed_of(const struct kd_settings *settings, uint64_t seed)
{
    long long given;
    if (!kd_settings_given(settings, "random_state"))
        return seed;
    const char *text = kd_settings_text(settings, "random_state");
    return kd_integer_parse(text, &given) == 0 ? (uint64_t)given : seed;
}

struct kd_sampler *kd_sampler_new(const struct kd_strategy *strategy, const struct kd_space *space,
                                  const struct kd_settings *settings, uint64_t seed,
                                  struct kd_error *err)
{
    if (kd_strategy_fits(strategy, space, err) < 0)
        return NULL;
    seed = seed_of(settings, seed);
    void *self = strategy->new (space, settings, seed, err);
    if (!self)
        return NULL;
    struct kd_sampler *sampler = KD_NEW(struct kd_sampler);
    *sampler = (struct kd_sampler){.strategy = strategy,
                                   .space = space,
                                   .axes = kd_axes_new(space),
                                   .self = self,
                                   .seed = seed,
                                   .size = kd_space_size(space)};
    return sampler;
}

void kd_sampler_free(struct kd_sampler *sampler)
{
    if (!sampler)
        return;
    sampler->strategy->free(sampler->self);
    free(sampler->axes);
    free(sampler);
}

static bool draw_unseen(const struct kd_sampler *sampler, const struct kd_history *history,
                        struct kd_rng *rng, double *point)
{
    enum { DRAWS = 32 };
    for (int i = 0; i < DRAWS; i++) {
        for (int j = 0; j < sampler->space->n_params; j++)
            point[j] = kd_axis_draw(&sampler->axes[j], rng);
        if (!kd_history_has(history, point))
            return true;
    }
    return false;
}

/* Nearly everything was tried: walk from a random position. Among n + 1 positions one is new when n points were
 * seen, so the walk is no longer than the history. */
static bool walk_to_unseen(const struct kd_sampler *sampler, const struct kd_history *history,
                           struct kd_rng *rng, double *point)
{
    if (sampler->size > KD_SPACE_COUNTABLE)
        return false;
    uint64_t size = (uint64_t)sampler->size, start = kd_rng_below(rng, size);
    uint64_t steps = (uint64_t)history->n_distinct + 1;
    for (uint64_t i = 0; i < steps && i < size; i++) {
        kd_space_nth(sampler->space, (start + i) % size, point);
        if (!kd_history_has(history, point))
            return true;
    }
    return false;
}

static bool replace_seen(const struct kd_sampler *sampler, const struct kd_history *history,
                         double *point)
{
    struct kd_rng rng = kd_rng_at(sampler->seed, REPLACEMENT_STREAM | (uint64_t)history->n);
    return draw_unseen(sampler, history, &rng, point) ||
           walk_to_unseen(sampler, history, &rng, point);
}

static bool ask_one(struct kd_sampler *sampler, const struct kd_history *history, double *point)
{
    bool finite = isfinite(sampler->size);
    /* As many points as the space has were seen; whether they are all of its own, the walk finds out. */
    if (finite && history->n_distinct >= sampler->size)
        return replace_seen(sampler, history, point);
    if (sampler->strategy->ask(sampler->self, history, 1, point) < 1)
        return false;
    return !finite || !kd_history_has(history, point) || replace_seen(sampler, history, point);
}

int kd_sampler_ask(struct kd_sampler *sampler, const struct kd_history *history, int n,
                   double *points)
{
    if (n == 1)
        return ask_one(sampler, history, points);
    struct kd_history branch;
    kd_history_branch(&branch, history);
    int given = 0;
    while (given < n && ask_one(sampler, &branch, points)) {
        kd_history_add(&branch, points);
        points += sampler->space->n_params;
        given++;
    }
    kd_history_release_branch(&branch, history);
    return given;
}
