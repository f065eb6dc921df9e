/* bayesianoptimization.c - Gaussian-process optimisation (Jones et al., J. Global Optimization 13,
 * 1998): the point with the largest expected improvement under what the finished trials, and those
 * that run, let expect.
 *
 * The first points are Sobol's. Then: the history as Gaussian processes (gp_surrogate.h),
 * candidates all over and around the best (gp_candidates.h), the most hopeful of them improved
 * (gp_climb.h), and the best that was not proposed before. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/gp/gp_candidates.h"
#include "search/gp/gp_climb.h"
#include "search/strategy.h"

enum { FOR_CANDIDATES = 1 }; /* purpose of a stream */

struct gp {
    const struct kd_space *space;
    struct kd_cube cube;
    struct kd_surrogate surrogate;
    struct kd_candidates candidates;
    struct kd_climb climb;
    uint64_t seed;
    int n_initial;
    bool climbs;
};

static int read_estimator(const struct kd_settings *settings, struct kd_error *err)
{
    const char *name = kd_settings_text(settings, "base_estimator");
    if (strcmp(name, "GP") == 0)
        return 0;
    return kd_fail(err, "base_estimator: %s is not built, only GP is; for trees use tpe", name);
}

/* What gp_hedge draws from has one member that is no worse than the others: EI by its logarithm. */
static int read_hope(const struct kd_settings *settings, enum kd_hope *hope, struct kd_error *err)
{
    static const struct {
        const char *name;
        enum kd_hope hope;
    } known[] = {
        {"EI", KD_HOPE_EI}, {"gp_hedge", KD_HOPE_EI}, {"PI", KD_HOPE_PI}, {"LCB", KD_HOPE_LCB}};
    const char *name = kd_settings_text(settings, "acq_func");
    for (size_t i = 0; i < KD_COUNT(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            *hope = known[i].hope;
            return 0;
        }
    }
    return kd_fail(err,
                   "acq_func: %s weighs by the time of a trial, which a strategy is not told; "
                   "accepted: EI, LCB, PI, gp_hedge (taken as EI)",
                   name);
}

static void *gp_new(const struct kd_task *task, const struct kd_settings *settings, uint64_t seed,
                    struct kd_error *err)
{
    enum kd_hope hope = KD_HOPE_EI;
    if (read_estimator(settings, err) < 0 || read_hope(settings, &hope, err) < 0)
        return NULL;
    struct gp *self = KD_NEW(struct gp);
    *self = (struct gp){.space = task->space, .seed = seed};
    self->n_initial = (int)kd_settings_number(settings, "n_initial_points");
    self->climbs = strcmp(kd_settings_text(settings, "acq_optimizer"), "sampling") != 0;
    kd_cube_init(&self->cube, task->space);
    kd_surrogate_init(&self->surrogate, &self->cube, task->n_constraints, seed);
    self->surrogate.acquisition.hope = hope;
    kd_candidates_init(&self->candidates, self->cube.n_dims);
    kd_climb_init(&self->climb, &self->cube);
    return self;
}

static void gp_free(void *self_)
{
    struct gp *self = self_;
    if (!self)
        return;
    kd_climb_release(&self->climb);
    kd_candidates_release(&self->candidates);
    kd_surrogate_release(&self->surrogate);
    kd_cube_release(&self->cube);
    free(self);
}

static void draw_startup(const struct gp *self, const struct kd_history *history, double *point)
{
    int n_params = self->space->n_params,
        n_even = n_params < KD_SOBOL_DIMS ? n_params : KD_SOBOL_DIMS;
    struct kd_rng rng = kd_rng_at(self->seed, (uint64_t)history->n);
    kd_sobol_point(self->seed, (uint32_t)history->n, n_even, point);
    for (int i = 0; i < n_params; i++) {
        double u = i < n_even ? point[i] : kd_rng_uniform(&rng);
        point[i] = kd_axis_quantile(&self->cube.axes[i], u);
    }
}

/* Are two starts so near that they would climb to the same place? */
static bool are_near(const struct gp *self, const double *a, const double *b)
{
    const struct kd_gp *gp = self->surrogate.models[0].gp;
    double r2 = 0;
    for (int dim = 0; dim < self->cube.n_dims; dim++) {
        double apart = self->cube.is_category[dim] ? a[dim] != b[dim] : a[dim] - b[dim];
        r2 += gp->weights[dim] * apart * apart;
    }
    return r2 < 0.01;
}

/* The most hopeful candidates that are not near each other; what is missing repeats the first. */
static void choose_starts(struct gp *self)
{
    const struct kd_candidates *candidates = &self->candidates;
    size_t n_dims = (size_t)self->cube.n_dims;
    double *starts = self->climb.rows;
    int n = 0;
    for (int i = 0; i < candidates->n && n < KD_LANES; i++) {
        int at = candidates->order[i];
        const double *row = &candidates->rows[(size_t)at * n_dims];
        bool is_near = false;
        for (int s = 0; s < n && !is_near; s++)
            is_near = are_near(self, row, &starts[(size_t)s * n_dims]);
        if (is_near)
            continue;
        memcpy(&starts[(size_t)n * n_dims], row, n_dims * sizeof *row);
        self->climb.values[n++] = candidates->values[at];
    }
    for (int s = n; s < KD_LANES; s++) {
        memcpy(&starts[(size_t)s * n_dims], starts, n_dims * sizeof *starts);
        self->climb.values[s] = self->climb.values[0];
    }
}

/* The best of where the climbs ended that is new and not beside a running trial. */
static bool take_climbed(const struct gp *self, const struct kd_history *history, double *point)
{
    const struct kd_climb *climb = &self->climb;
    double best = -INFINITY, *end = KD_NEW_ARRAY(double, (size_t)self->space->n_params + 1);
    bool found = false;
    for (int lane = 0; lane < KD_LANES; lane++) {
        if (!(climb->values[lane] > best))
            continue;
        const double *row = &climb->rows[(size_t)lane * (size_t)self->cube.n_dims];
        kd_cube_to_point(&self->cube, row, end);
        if (kd_history_has(history, end) || kd_surrogate_is_crowded(&self->surrogate, row))
            continue;
        best = climb->values[lane];
        memcpy(point, end, (size_t)self->space->n_params * sizeof *point);
        found = true;
    }
    free(end);
    return found;
}

/* The most hopeful candidate that is new; of those that are not beside a running trial while there
 * are such. */
static bool take_candidate(const struct gp *self, const struct kd_history *history, bool in_crowd,
                           double *point)
{
    const struct kd_candidates *candidates = &self->candidates;
    size_t n_dims = (size_t)self->cube.n_dims;
    for (int i = 0; i < candidates->n; i++) {
        const double *row = &candidates->rows[(size_t)candidates->order[i] * n_dims];
        if (!in_crowd && kd_surrogate_is_crowded(&self->surrogate, row))
            continue;
        kd_cube_to_point(&self->cube, row, point);
        if (!kd_history_has(history, point))
            return true;
    }
    return false;
}

static int ask_one(void *self_, const struct kd_history *history, double *point)
{
    struct gp *self = self_;
    draw_startup(self, history, point);
    if (history->n < self->n_initial || history->n_done == 0 || self->cube.n_dims == 0)
        return 1;
    struct kd_rng rng = kd_rng_at(self->seed, KD_STREAM(FOR_CANDIDATES, history->n));
    kd_surrogate_update(&self->surrogate, history);
    kd_candidates_draw(&self->candidates, &self->surrogate, history, &rng);
    kd_candidates_rank(&self->candidates, &self->surrogate.acquisition);
    if (self->candidates.n > 0 && !self->candidates.is_all && self->climbs) {
        choose_starts(self);
        kd_climb_run(&self->climb, &self->surrogate.acquisition, &rng);
        if (take_climbed(self, history, point))
            return 1;
    }
    if (!take_candidate(self, history, false, point))
        take_candidate(self, history, true, point); /* none: the sampler finds another point */
    return 1;
}

static int gp_ask(void *self, const struct kd_history *history, int n, double *points)
{
    return kd_ask_in_turn(ask_one, self, history, n, points);
}

static const char *const estimators[] = {"GP", "RF", "ET", "GBRT", NULL};
static const char *const hopes[] = {"EI", "LCB", "PI", "gp_hedge", "EIps", "PIps", NULL};
static const char *const optimizers[] = {"auto", "sampling", "lbfgs", NULL};

static const struct kd_setting gp_settings[] = {
    {"base_estimator", KD_SETTING_CHOICE, "GP", 0, 0, estimators, "the model; only GP is built"},
    {"n_initial_points", KD_SETTING_INT, "8", 0, 1e6, NULL,
     "Sobol points before the model is used; an earlier experiment's trials count"},
    {"acq_func", KD_SETTING_CHOICE, "EI", 0, 0, hopes,
     "EI: log expected improvement, also for gp_hedge; LCB, PI"},
    {"acq_optimizer", KD_SETTING_CHOICE, "auto", 0, 0, optimizers,
     "sampling: the best of random candidates; auto and lbfgs: improved from there"},
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_strategy kd_strategy_bayesianoptimization = {
    .name = "bayesianoptimization",
    .summary = "Gaussian process, log expected improvement",
    .settings = gp_settings,
    .can = KD_CAN_CONSTRAINTS,
    .new = gp_new,
    .ask = gp_ask,
    .free = gp_free,
};
