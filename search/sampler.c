/* sampler.c - a strategy at work, and the promises that hold for all strategies. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "search/axis.h"
#include "search/strategy.h"

enum { FOR_ENQUEUED = 127, FOR_REPLACEMENTS = 128 }; /* purposes of streams */

struct kd_sampler {
    const struct kd_strategy *strategy;
    const struct kd_space *space;
    struct kd_axis *axes;
    void *self;
    uint64_t seed;
    double size; /* of the space */
    bool is_conditional;
    double *enqueued; /* n_enqueued rows of n_params values */
    int n_enqueued;
};

struct kd_sampler *kd_sampler_new(const struct kd_strategy *strategy, const struct kd_task *task,
                                  const struct kd_settings *settings, uint64_t seed,
                                  struct kd_error *err)
{
    if (kd_strategy_fits(strategy, task, err) < 0)
        return NULL;
    seed = kd_settings_seed(settings, seed);
    void *self = strategy->new (task, settings, seed, err);
    if (!self)
        return NULL;
    struct kd_sampler *sampler = KD_NEW(struct kd_sampler);
    *sampler = (struct kd_sampler){.strategy = strategy,
                                   .space = task->space,
                                   .axes = kd_axes_new(task->space),
                                   .self = self,
                                   .seed = seed,
                                   .size = kd_space_size(task->space),
                                   .is_conditional = kd_space_is_conditional(task->space)};
    return sampler;
}

void kd_sampler_free(struct kd_sampler *sampler)
{
    if (!sampler)
        return;
    sampler->strategy->free(sampler->self);
    free(sampler->enqueued);
    free(sampler->axes);
    free(sampler);
}

void kd_sampler_enqueue(struct kd_sampler *sampler, const double *points, int n)
{
    size_t n_params = (size_t)sampler->space->n_params;
    size_t n_old = (size_t)sampler->n_enqueued, n_new = (size_t)n;
    sampler->enqueued = kd_realloc_array(sampler->enqueued, (n_old + n_new) * n_params + 1,
                                         sizeof *sampler->enqueued);
    memcpy(&sampler->enqueued[n_old * n_params], points, n_new * n_params * sizeof *points);
    sampler->n_enqueued += n;
}

static void mask(const struct kd_sampler *sampler, double *point)
{
    if (sampler->is_conditional)
        kd_space_mask(sampler->space, point);
}

static bool draw_unseen(const struct kd_sampler *sampler, const struct kd_history *history,
                        struct kd_rng *rng, double *point)
{
    enum { DRAWS = 32 };
    for (int i = 0; i < DRAWS; i++) {
        for (int j = 0; j < sampler->space->n_params; j++)
            point[j] = kd_axis_draw(&sampler->axes[j], rng);
        mask(sampler, point);
        if (!kd_history_has(history, point))
            return true;
    }
    return false;
}

/* Nearly everything was tried: walk from a random position. Among n + 1 positions one is new when n
 * points were seen, so the walk is no longer than the history. */
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
    struct kd_rng rng = kd_rng_at(sampler->seed, KD_STREAM(FOR_REPLACEMENTS, history->n));
    return draw_unseen(sampler, history, &rng, point) ||
           walk_to_unseen(sampler, history, &rng, point);
}

static bool take_enqueued(const struct kd_sampler *sampler, const struct kd_history *history,
                          double *point)
{
    int n_params = sampler->space->n_params;
    int row = kd_history_n_proposed(history, sampler->n_enqueued);
    if (row >= sampler->n_enqueued)
        return false;
    struct kd_rng rng = kd_rng_at(sampler->seed, KD_STREAM(FOR_ENQUEUED, history->n));
    for (int i = 0; i < n_params; i++) {
        double given = sampler->enqueued[row * n_params + i];
        double drawn = kd_axis_draw(&sampler->axes[i], &rng);
        point[i] = isnan(given) ? drawn : given;
    }
    mask(sampler, point);
    return !kd_history_has(history, point);
}

static bool ask_one(struct kd_sampler *sampler, const struct kd_history *history, double *point)
{
    if (take_enqueued(sampler, history, point))
        return true;
    /* As many points as the space has were seen; whether they are all of its own, the walk finds
     * out. */
    if (history->n_distinct >= sampler->size)
        return replace_seen(sampler, history, point);
    if (sampler->strategy->ask(sampler->self, history, 1, point) < 1)
        return false;
    mask(sampler, point);
    return !kd_history_has(history, point) || replace_seen(sampler, history, point);
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
