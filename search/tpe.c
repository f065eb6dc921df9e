/* tpe.c - the tree-structured Parzen estimator (Bergstra et al., NIPS 2011), by the rules of Optuna 5's default.
 *
 * The finished trials are split into the few best and the rest (split.h); an estimator (parzen.h) is fitted to each;
 * candidates are drawn from the good one, and the one with the largest ratio good / rest is proposed. Multivariate:
 * one candidate is a whole point, so that what belongs together stays together. Otherwise each parameter is chosen
 * by itself. Candidates that were proposed before yield to those that were not.
 *
 * Running trials count as bad, or all four GPUs get the same point. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/columns.h"
#include "search/parzen.h"
#include "search/split.h"
#include "search/strategy.h"

/* Parameters that are chosen together: all of them, or one. */
struct part {
    int first, n_axes;
    struct kd_parzen *good, *rest;
};

struct tpe {
    const struct kd_space *space;
    struct kd_axis *axes;
    struct kd_columns columns;
    struct kd_split split;
    struct part *parts;
    int n_parts;
    uint64_t seed;
    double gamma, prior_weight;
    int n_candidates, n_startup;
    bool is_conditional;
    double *candidates, *good, *rest; /* scratch */
    double *weights;                  /* scratch; of the trials below */
    int *active;                      /* scratch; trial numbers */
    int capacity;                     /* of weights and active */
};

static int read_settings(struct tpe *self, const struct kd_settings *settings, struct kd_error *err)
{
    self->gamma = kd_settings_number(settings, "gamma");
    self->prior_weight = kd_settings_number(settings, "prior_weight");
    self->n_candidates = (int)kd_settings_number(settings, "n_ei_candidates");
    self->n_startup = (int)kd_settings_number(settings, "n_startup_trials");
    if (self->gamma <= 0 || self->gamma >= 1)
        return kd_fail(err, "gamma: %g is not between 0 and 1 (both excluded)", self->gamma);
    if (self->prior_weight <= 0)
        return kd_fail(err, "prior_weight: %g is not above 0", self->prior_weight);
    return 0;
}

static void make_parts(struct tpe *self, bool together)
{
    int n_params = self->space->n_params;
    self->n_parts = together ? 1 : n_params;
    self->parts = KD_NEW_ARRAY(struct part, (size_t)self->n_parts + 1);
    for (int i = 0; i < self->n_parts; i++) {
        int n_axes = together ? n_params : 1;
        self->parts[i] = (struct part){.first = i,
                                       .n_axes = n_axes,
                                       .good = kd_parzen_new(&self->columns, i, n_axes),
                                       .rest = kd_parzen_new(&self->columns, i, n_axes)};
    }
}

static void tpe_free(void *self_)
{
    struct tpe *self = self_;
    if (!self)
        return;
    for (int i = 0; i < self->n_parts; i++) {
        kd_parzen_free(self->parts[i].good);
        kd_parzen_free(self->parts[i].rest);
    }
    free(self->parts);
    kd_split_release(&self->split);
    kd_columns_release(&self->columns);
    free(self->candidates);
    free(self->good);
    free(self->rest);
    free(self->weights);
    free(self->active);
    free(self->axes);
    free(self);
}

static void *tpe_new(const struct kd_task *task, const struct kd_settings *settings, uint64_t seed,
                     struct kd_error *err)
{
    const struct kd_space *space = task->space;
    struct tpe *self = KD_NEW(struct tpe);
    *self = (struct tpe){.space = space, .seed = seed};
    if (read_settings(self, settings, err) < 0) {
        free(self);
        return NULL;
    }
    size_t n = (size_t)self->n_candidates, n_params = (size_t)space->n_params;
    self->is_conditional = kd_space_is_conditional(space);
    self->axes = kd_axes_new(space);
    kd_columns_init(&self->columns, self->axes, space->n_params);
    make_parts(self, kd_settings_number(settings, "multivariate") != 0);
    self->candidates = KD_NEW_ARRAY(double, n *n_params + 1);
    self->good = KD_NEW_ARRAY(double, n);
    self->rest = KD_NEW_ARRAY(double, n);
    return self;
}

static void draw_startup(const struct tpe *self, struct kd_rng *rng, double *point)
{
    for (int i = 0; i < self->space->n_params; i++)
        point[i] = kd_axis_draw(&self->axes[i], rng);
}

static void reserve(struct tpe *self, int n)
{
    if (n <= self->capacity)
        return;
    size_t capacity = 2 * (size_t)n;
    self->capacity = (int)capacity;
    self->weights = kd_realloc_array(self->weights, capacity, sizeof *self->weights);
    self->active = kd_realloc_array(self->active, capacity, sizeof *self->active);
}

/* The better a trial the more it weighs, from half to one and a half; all alike where none is better. */
static double weight_below(const struct tpe *self, const struct kd_history *history, int i)
{
    int n = self->split.n_below;
    return history->n_objectives > 1 ? 1 : 0.5 + (double)(n - self->split.rank[i]) / n;
}

/* Of the trials, those where the part's parameter is active. A part of several holds all parameters, and takes the
 * trials as they are. */
static int keep_active(struct tpe *self, const struct part *part, const int *trials, int n,
                       bool is_below, const struct kd_history *history)
{
    int n_kept = 0;
    for (int i = 0; i < n; i++) {
        if (part->n_axes == 1 && isnan(history->trials[trials[i]].values[part->first]))
            continue;
        if (is_below)
            self->weights[n_kept] = weight_below(self, history, i);
        self->active[n_kept++] = trials[i];
    }
    return n_kept;
}

static void fit_part(struct tpe *self, const struct kd_history *history, const struct part *part)
{
    const struct kd_split *split = &self->split;
    int n = keep_active(self, part, split->below, split->n_below, true, history);
    kd_parzen_fit(part->good, self->active, n, self->weights, self->prior_weight);
    n = keep_active(self, part, split->above, split->n_above, false, history);
    kd_parzen_fit(part->rest, self->active, n, NULL, self->prior_weight);
}

static void fit(struct tpe *self, const struct kd_history *history, int n_informed)
{
    int want = (int)-floor(-self->gamma * n_informed); /* ceiling */
    reserve(self, history->n);
    kd_columns_sync(&self->columns, history);
    kd_split_trials(&self->split, history, want);
    for (int i = 0; i < self->n_parts; i++)
        fit_part(self, history, &self->parts[i]);
}

static bool is_seen(const struct tpe *self, const struct kd_history *history,
                    const struct part *part, const double *candidate)
{
    return part->n_axes == self->space->n_params && kd_history_has(history, candidate);
}

/* The best candidate that is new, or the best of all when none is. */
static const double *choose(const struct tpe *self, const struct kd_history *history,
                            const struct part *part)
{
    const double *best = NULL;
    double best_score = 0;
    bool best_seen = false;
    for (int i = 0; i < self->n_candidates; i++) {
        const double *candidate = &self->candidates[i * part->n_axes];
        double score = self->good[i] - self->rest[i];
        bool seen = is_seen(self, history, part, candidate);
        bool wins = !best || (best_seen && !seen) || (best_seen == seen && score > best_score);
        if (!wins)
            continue;
        best = candidate;
        best_score = score;
        best_seen = seen;
    }
    return best;
}

static void ask_part(struct tpe *self, const struct kd_history *history, const struct part *part,
                     struct kd_rng *rng, double *point)
{
    int n = self->n_candidates;
    for (int i = 0; i < n; i++) {
        double *candidate = &self->candidates[i * part->n_axes];
        kd_parzen_draw(part->good, rng, candidate);
        if (self->is_conditional && part->n_axes == self->space->n_params)
            kd_space_mask(self->space, candidate);
    }
    kd_parzen_log_density(part->good, self->candidates, n, self->good);
    kd_parzen_log_density(part->rest, self->candidates, n, self->rest);
    const double *best = choose(self, history, part);
    memcpy(&point[part->first], best, (size_t)part->n_axes * sizeof *best);
}

static int ask_one(void *self_, const struct kd_history *history, double *point)
{
    struct tpe *self = self_;
    struct kd_rng rng = kd_rng_at(self->seed, (uint64_t)history->n);
    int n_informed = kd_split_informed(history);
    if (n_informed < self->n_startup) {
        draw_startup(self, &rng, point);
        return 1;
    }
    fit(self, history, n_informed);
    for (int i = 0; i < self->n_parts; i++)
        ask_part(self, history, &self->parts[i], &rng, point);
    return 1;
}

static int tpe_ask(void *self, const struct kd_history *history, int n, double *points)
{
    return kd_ask_in_turn(ask_one, self, history, n, points);
}

static const struct kd_setting tpe_settings[] = {
    {"n_startup_trials", KD_SETTING_INT, "10", 0, 1e6, NULL,
     "finished trials before the model is used; random until then"},
    {"n_ei_candidates", KD_SETTING_INT, "24", 1, 1e5, NULL,
     "candidates drawn from the good trials' density for each proposal"},
    {"gamma", KD_SETTING_NUMBER, "0.1", 0, 1, NULL,
     "share of the finished trials that count as good, 25 of them at most"},
    {"prior_weight", KD_SETTING_NUMBER, "1", 0, 1e6, NULL,
     "weight of the prior beside trials of weight 1"},
    {"multivariate", KD_SETTING_BOOL, "true", 0, 1, NULL,
     "model all parameters together; false: each by itself"},
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_strategy kd_strategy_tpe = {
    .name = "tpe",
    .summary = "tree-structured Parzen estimator over all parameters together",
    .settings = tpe_settings,
    .can = KD_CAN_CONDITIONS | KD_CAN_OBJECTIVES | KD_CAN_CONSTRAINTS,
    .new = tpe_new,
    .ask = tpe_ask,
    .free = tpe_free,
};
