/* tpe.c - the tree-structured Parzen estimator (Bergstra et al., NIPS 2011), by the rules of Optuna
 * 5's default.
 *
 * The finished trials are split into the few best and the rest (split.h); an estimator (parzen.h)
 * is fitted to each; candidates are drawn from the good one and made from good trials (moves.h),
 * and the one with the largest ratio good / rest is proposed. Multivariate: one candidate is a
 * whole point, so that what belongs together stays together. Otherwise each parameter is chosen by
 * itself, from those trials in which it is active. Candidates that were proposed before yield to
 * those that were not.
 *
 * Running trials count as bad, or all four GPUs get the same point. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/strategy.h"
#include "search/tpe/columns.h"
#include "search/tpe/moves.h"
#include "search/tpe/parzen.h"
#include "search/tpe/split.h"

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
    bool is_together, is_conditional;
    bool *is_parent; /* of each parameter: does another depend on it, and it on none? */
    int best;        /* which of the trials below, -1 = none stands out */
    double *candidates, *good, *rest; /* scratch */
    double *weights;                  /* scratch; of the trials below */
    int *active;                      /* scratch; trial numbers */
    int capacity;                     /* of weights and active */
};

/* With several objectives the good trials lie along a front, not around a point: more of them, each
 * parameter by itself, as in Optuna. */
static void suit_several_objectives(struct tpe *self, const struct kd_settings *settings)
{
    if (!kd_settings_given(settings, "multivariate"))
        self->is_together = false;
    if (!kd_settings_given(settings, "gamma"))
        self->gamma = 0.2;
}

static int read_settings(struct tpe *self, const struct kd_settings *settings, struct kd_error *err)
{
    self->gamma = kd_settings_number(settings, "gamma");
    self->prior_weight = kd_settings_number(settings, "prior_weight");
    self->n_candidates = (int)kd_settings_number(settings, "n_ei_candidates");
    self->n_startup = (int)kd_settings_number(settings, "n_startup_trials");
    self->is_together = kd_settings_number(settings, "multivariate") != 0;
    if (self->gamma <= 0 || self->gamma >= 1)
        return kd_fail(err, "gamma: %g is not between 0 and 1 (both excluded)", self->gamma);
    if (self->prior_weight <= 0)
        return kd_fail(err, "prior_weight: %g is not above 0", self->prior_weight);
    return 0;
}

static void find_parents(struct tpe *self)
{
    const struct kd_space *space = self->space;
    self->is_conditional = kd_space_is_conditional(space);
    self->is_parent = KD_NEW_ARRAY(bool, (size_t)space->n_params + 1);
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_condition *condition = space->params[i].condition;
        if (condition && !space->params[condition->parent].condition)
            self->is_parent[condition->parent] = true;
    }
}

static void make_parts(struct tpe *self)
{
    bool together = self->is_together;
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
    free(self->is_parent);
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
    if (task->n_objectives > 1)
        suit_several_objectives(self, settings);
    size_t n = (size_t)self->n_candidates, n_params = (size_t)space->n_params;
    self->axes = kd_axes_new(space);
    kd_columns_init(&self->columns, self->axes, space->n_params);
    find_parents(self);
    make_parts(self);
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

/* The better a trial the more it weighs, from half to one and a half; all alike where none is
 * better. */
static double weight_below(const struct tpe *self, const struct kd_history *history, int i)
{
    int n = self->split.n_below;
    return history->n_objectives > 1 ? 1 : 0.5 + (double)(n - self->split.rank[i]) / n;
}

/* Of the trials, those where the part's parameter is active, unless the part is all parameters. */
static int keep_active(struct tpe *self, const struct part *part, const int *trials, int n,
                       bool is_below, const struct kd_history *history)
{
    int n_kept = 0;
    for (int i = 0; i < n; i++) {
        if (!self->is_together && isnan(history->trials[trials[i]].values[part->first]))
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
    self->best = -1;
    for (int i = 0; i < self->split.n_below && history->n_objectives == 1; i++) {
        if (self->split.rank[i] == 0)
            self->best = i;
    }
    for (int i = 0; i < self->n_parts; i++)
        fit_part(self, history, &self->parts[i]);
}

static bool is_whole(const struct tpe *self, const struct part *part)
{
    return part->n_axes == self->space->n_params;
}

/* The best candidate that is new, or the best of all when none is. */
static const double *choose(const struct tpe *self, const struct kd_history *history,
                            const struct part *part, int n)
{
    const double *best = NULL;
    double best_score = 0;
    bool best_seen = false;
    for (int i = 0; i < n; i++) {
        const double *candidate = &self->candidates[i * part->n_axes];
        double score = self->good[i] - self->rest[i];
        bool seen = is_whole(self, part) && kd_history_has(history, candidate);
        bool wins = !best || (best_seen && !seen) || (best_seen == seen && score > best_score);
        if (!wins)
            continue;
        best = candidate;
        best_score = score;
        best_seen = seen;
    }
    return best;
}

static void score(struct tpe *self, const struct part *part, int n)
{
    kd_parzen_log_density(part->good, self->candidates, n, self->good);
    kd_parzen_log_density(part->rest, self->candidates, n, self->rest);
}

/* The i-th of n candidates: 3 of 8 from the density, the rest moves, half of these from the best
 * trial. */
static void draw_candidate(const struct tpe *self, const struct kd_history *history, int i,
                           struct kd_rng *rng, double *candidate)
{
    enum { FEWEST = 3 }; /* before that moves would all stay beside one point */
    const struct kd_split *split = &self->split;
    struct kd_moves moves = {self->axes, history, split->below, split->n_below};
    if (i % 8 < 3 || split->n_below < FEWEST)
        kd_parzen_draw(self->parts[0].good, rng, candidate);
    else
        kd_moves_draw(&moves, i % 2 ? self->best : -1, rng, candidate);
}

static bool agrees(const struct tpe *self, const double *candidate, const double *chosen)
{
    for (int i = 0; i < self->space->n_params; i++) {
        if (self->is_parent[i] && candidate[i] != chosen[i])
            return false;
    }
    return true;
}

/* chosen: values that the parameters on which others depend must have, or NULL. */
static void draw_candidates(struct tpe *self, const struct kd_history *history,
                            const double *chosen, int n, struct kd_rng *rng)
{
    enum { DRAWS = 8 };
    int n_params = self->space->n_params;
    for (int i = 0; i < n; i++) {
        double *candidate = &self->candidates[i * n_params];
        int draws = 0;
        do
            draw_candidate(self, history, i, rng, candidate);
        while (chosen && ++draws < DRAWS && !agrees(self, candidate, chosen));
        for (int j = 0; j < n_params && chosen; j++)
            candidate[j] = self->is_parent[j] ? chosen[j] : candidate[j];
        if (self->is_conditional)
            kd_space_mask(self->space, candidate);
    }
}

/* Chooses the parameters on which others depend by the densities of the unconditional ones alone.
 * Otherwise a branch with one good trial would win by how exactly that one is known, and the others
 * would never be tried. */
static void choose_branch(struct tpe *self, const struct kd_history *history, int n,
                          struct kd_rng *rng, double *chosen)
{
    int n_params = self->space->n_params;
    draw_candidates(self, history, NULL, n, rng);
    for (int i = 0; i < n * n_params; i++) {
        if (self->space->params[i % n_params].condition)
            self->candidates[i] = NAN;
    }
    score(self, &self->parts[0], n);
    memcpy(chosen, choose(self, history, &self->parts[0], n), (size_t)n_params * sizeof *chosen);
}

static void ask_together(struct tpe *self, const struct kd_history *history, struct kd_rng *rng,
                         double *point)
{
    int n = self->n_candidates;
    if (self->is_conditional)
        choose_branch(self, history, n, rng, point);
    draw_candidates(self, history, self->is_conditional ? point : NULL, n, rng);
    score(self, &self->parts[0], n);
    const double *best = choose(self, history, &self->parts[0], n);
    memcpy(point, best, (size_t)self->space->n_params * sizeof *best);
}

static void ask_part(struct tpe *self, const struct kd_history *history, const struct part *part,
                     struct kd_rng *rng, double *point)
{
    int n = self->n_candidates;
    for (int i = 0; i < n; i++)
        kd_parzen_draw(part->good, rng, &self->candidates[i * part->n_axes]);
    score(self, part, n);
    point[part->first] = *choose(self, history, part, n);
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
    if (self->is_together)
        ask_together(self, history, &rng, point);
    for (int i = 0; i < self->n_parts && !self->is_together; i++)
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
    {"n_ei_candidates", KD_SETTING_INT, "24", 1, 1e4, NULL, "candidates for each proposal"},
    {"gamma", KD_SETTING_NUMBER, "0.1", 1e-6, 1 - 1e-6, NULL,
     "share of the finished trials that count as good, 25 at most; 0.2 with several objectives"},
    {"prior_weight", KD_SETTING_NUMBER, "1", 0, 1e6, NULL,
     "weight of the prior beside trials of weight 1"},
    {"multivariate", KD_SETTING_BOOL, "true", 0, 1, NULL,
     "model all parameters together, or each by itself (so with several objectives)"},
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
