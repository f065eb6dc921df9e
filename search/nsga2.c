/* nsga2.c - NSGA-II (Deb, Pratap, Agarwal, Meyarivan, IEEE TEC 2002) in its steady form: a child
 * for every finished trial.
 *
 * The population are the survivors of all finished trials in the order in which they finished: each
 * one enters, and when there are more than population_size, the most crowded one of the last front
 * leaves. So what a trial taught is used at the next ask, not at the next generation, and the
 * population follows from the history alone. Two parents win a tournament by (front, crowding);
 * variation.h makes the child. Until the population is full, points are a Sobol design.
 *
 * Running trials play no part: the points that are asked for at the same time differ by their
 * random numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/axis.h"
#include "search/math/sobol_points.h"
#include "search/pareto.h"
#include "search/strategy.h"
#include "search/variation.h"

/* A finished trial that was read: by this it is known again. */
struct reading {
    int64_t number;
    double objective, violation;
};

struct nsga2 {
    const struct kd_space *space;
    struct kd_axis *axes;
    struct kd_variation variation;
    struct kd_sobol design;
    uint64_t seed;
    int size, m;
    /* The population, one more than its size: trial numbers, what they cost, and how they
     * compare. */
    int n, *numbers, *ranks, *front;
    double *rows, *violations, *crowding, *distances;
    int n_read, read_capacity;
    struct reading *read;
};

static void forget(struct nsga2 *self)
{
    self->n = self->n_read = 0;
}

static struct kd_costs costs_of(const struct nsga2 *self)
{
    return (struct kd_costs){
        .n = self->n, .m = self->m, .rows = self->rows, .violations = self->violations};
}

/* Ranks, and the crowding of each member within its front. */
static void compare_all(struct nsga2 *self)
{
    struct kd_costs costs = costs_of(self);
    int n_fronts = kd_pareto_ranks(&costs, self->ranks);
    for (int rank = 0; rank < n_fronts; rank++) {
        int n = 0;
        for (int i = 0; i < self->n; i++) {
            if (self->ranks[i] == rank)
                self->front[n++] = i;
        }
        kd_pareto_crowding(&costs, self->front, n, self->distances);
        for (int i = 0; i < n; i++)
            self->crowding[self->front[i]] = self->distances[i];
    }
}

static bool is_better(const struct nsga2 *self, int a, int b)
{
    if (self->ranks[a] != self->ranks[b])
        return self->ranks[a] < self->ranks[b];
    return self->crowding[a] > self->crowding[b];
}

static void remove_worst(struct nsga2 *self)
{
    size_t m = (size_t)self->m;
    int worst = self->n - 1; /* the newest, unless another is worse */
    compare_all(self);
    for (int i = self->n - 2; i >= 0; i--) {
        if (is_better(self, worst, i))
            worst = i;
    }
    size_t behind = (size_t)(self->n - 1 - worst), at = (size_t)worst;
    memmove(&self->numbers[at], &self->numbers[at + 1], behind * sizeof *self->numbers);
    memmove(&self->violations[at], &self->violations[at + 1], behind * sizeof *self->violations);
    memmove(&self->rows[at * m], &self->rows[(at + 1) * m], behind * m * sizeof *self->rows);
    self->n--;
}

static void enter(struct nsga2 *self, const struct kd_observation *trial)
{
    if (!kd_observation_has_objective(trial))
        return;
    for (int k = 0; k < self->m; k++)
        self->rows[self->n * self->m + k] = kd_observation_objective(trial, k);
    self->violations[self->n] = trial->violation;
    self->numbers[self->n++] = (int)trial->number;
    if (self->n > self->size)
        remove_worst(self);
}

static bool was_read(const struct reading *read, const struct kd_observation *trial)
{
    return read->number == trial->number && read->violation == trial->violation &&
           (read->objective == trial->objective || isnan(trial->objective));
}

/* Reads what finished since the last ask; all of it, when that is not how the history began. */
static void catch_up(struct nsga2 *self, const struct kd_history *history)
{
    for (int i = 0; i < self->n_read; i++) {
        if (i >= history->n_done || !was_read(&self->read[i], &history->trials[history->done[i]])) {
            forget(self);
            break;
        }
    }
    if (history->n_done > self->read_capacity) {
        self->read_capacity = 2 * history->n_done;
        self->read = kd_realloc_array(self->read, (size_t)self->read_capacity, sizeof *self->read);
    }
    for (; self->n_read < history->n_done; self->n_read++) {
        const struct kd_observation *trial = &history->trials[history->done[self->n_read]];
        self->read[self->n_read] = (struct reading){
            .number = trial->number, .objective = trial->objective, .violation = trial->violation};
        enter(self, trial);
    }
}

static void draw_startup(const struct nsga2 *self, const struct kd_history *history,
                         struct kd_rng *rng, double *point)
{
    int n_params = self->space->n_params, n_even = self->design.n_dims;
    kd_sobol_scrambled(&self->design, self->seed, (uint32_t)(history->n - history->n_prior), point);
    for (int i = 0; i < n_params; i++)
        point[i] = i < n_even ? kd_axis_quantile(&self->axes[i], point[i])
                              : kd_axis_draw(&self->axes[i], rng);
}

static int win_tournament(const struct nsga2 *self, struct kd_rng *rng)
{
    int a = (int)kd_rng_below(rng, (uint64_t)self->n),
        b = (int)kd_rng_below(rng, (uint64_t)self->n);
    return is_better(self, b, a) ? b : a;
}

static int win_another(const struct nsga2 *self, int first, struct kd_rng *rng)
{
    enum { TRIES = 8 };
    int second = first;
    for (int i = 0; i < TRIES && second == first; i++)
        second = win_tournament(self, rng);
    return second;
}

/* A child that was not proposed before, if some tries find one. */
static void breed(struct nsga2 *self, const struct kd_history *history, struct kd_rng *rng,
                  double *child)
{
    enum { TRIES = 16 };
    compare_all(self);
    for (int i = 0; i < TRIES; i++) {
        int first = win_tournament(self, rng), second = win_another(self, first, rng);
        kd_vary(&self->variation, history->trials[self->numbers[first]].values,
                history->trials[self->numbers[second]].values, rng, child);
        kd_space_mask(self->space, child);
        if (!kd_history_has(history, child))
            break;
    }
}

static int ask_one(void *self_, const struct kd_history *history, double *point)
{
    struct nsga2 *self = self_;
    struct kd_rng rng = kd_rng_at(self->seed, (uint64_t)history->n);
    catch_up(self, history);
    if (self->n < self->size)
        draw_startup(self, history, &rng, point);
    else
        breed(self, history, &rng, point);
    return 1;
}

static int nsga2_ask(void *self, const struct kd_history *history, int n, double *points)
{
    return kd_ask_in_turn(ask_one, self, history, n, points);
}

static void nsga2_free(void *self_)
{
    struct nsga2 *self = self_;
    if (!self)
        return;
    kd_sobol_release(&self->design);
    free(self->axes);
    free(self->numbers), free(self->ranks), free(self->front);
    free(self->rows), free(self->violations);
    free(self->crowding), free(self->distances);
    free(self->read);
    free(self);
}

static void read_settings(struct nsga2 *self, const struct kd_settings *settings)
{
    int n_params = self->space->n_params;
    bool given = kd_settings_given(settings, "mutation_prob");
    self->size = (int)kd_settings_number(settings, "population_size");
    self->variation =
        (struct kd_variation){.axes = self->axes,
                              .n_axes = n_params,
                              .crossover_prob = kd_settings_number(settings, "crossover_prob"),
                              .swapping_prob = kd_settings_number(settings, "swapping_prob"),
                              .mutation_prob = given ? kd_settings_number(settings, "mutation_prob")
                                                     : 1.0 / (n_params > 1 ? n_params : 1),
                              .crossover_eta = kd_settings_number(settings, "crossover_eta"),
                              .mutation_eta = kd_settings_number(settings, "mutation_eta")};
}

static void *nsga2_new(const struct kd_task *task, const struct kd_settings *settings,
                       uint64_t seed, struct kd_error *err)
{
    (void)err;
    int n_params = task->space->n_params;
    struct nsga2 *self = KD_NEW(struct nsga2);
    *self = (struct nsga2){.space = task->space,
                           .axes = kd_axes_new(task->space),
                           .seed = seed,
                           .m = task->n_objectives};
    read_settings(self, settings);
    kd_sobol_init(&self->design, n_params < KD_SOBOL_DIMS ? n_params : KD_SOBOL_DIMS);
    size_t n = (size_t)self->size + 1;
    self->numbers = KD_NEW_ARRAY(int, n);
    self->ranks = KD_NEW_ARRAY(int, n);
    self->front = KD_NEW_ARRAY(int, n);
    self->rows = KD_NEW_ARRAY(double, n *(size_t)self->m);
    self->violations = KD_NEW_ARRAY(double, n);
    self->crowding = KD_NEW_ARRAY(double, n);
    self->distances = KD_NEW_ARRAY(double, n);
    return self;
}

static const struct kd_setting nsga2_settings[] = {
    {"population_size", KD_SETTING_INT, "20", 2, 1e4, NULL, "survivors that children are made of"},
    {"crossover_prob", KD_SETTING_NUMBER, "0.9", 0, 1, NULL,
     "of mixing two parents; else the child begins as a copy of one"},
    {"swapping_prob", KD_SETTING_NUMBER, "0.5", 0, 1, NULL,
     "of taking a value from the second parent's side"},
    {"mutation_prob", KD_SETTING_NUMBER, NULL, 0, 1, NULL,
     "of changing a value; 1 / number of parameters when not given"},
    {"crossover_eta", KD_SETTING_NUMBER, "10", 0, 1e3, NULL,
     "how near to its parents a mixed number stays"},
    {"mutation_eta", KD_SETTING_NUMBER, "10", 0, 1e3, NULL,
     "how near to its old value a changed number stays"},
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_strategy kd_strategy_nsga2 = {
    .name = "nsga2",
    .summary = "evolution towards the front of several objectives (NSGA-II)",
    .settings = nsga2_settings,
    .can = KD_CAN_CONDITIONS | KD_CAN_OBJECTIVES | KD_CAN_CONSTRAINTS,
    .new = nsga2_new,
    .ask = nsga2_ask,
    .free = nsga2_free,
};
