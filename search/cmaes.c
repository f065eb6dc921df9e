/* cmaes.c - covariance matrix adaptation, a function of the finished trials in the order in which
 * they finished.
 *
 * Every lambda finished trials make a generation, whoever proposed them and from which state: what
 * many workers bring in late, or a user enqueued, is injected. A point is drawn from the state
 * after the last full generation by its trial's number. So eight workers or one, a state is
 * replayed from the history alone. */
#include "search/cmaes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/cmaes/cmaes_point.h"
#include "search/math/special.h"

struct cmaes {
    struct kd_chart chart;
    struct kd_cma_options options;
    uint64_t seed;
    int first; /* number of the first trial that it proposes itself, prior ones aside */
    int n_startup;
    bool warm_start;
    /* The cache: what the state has taken in of history->done. */
    bool has_state, own_seen; /* own_seen: the earlier trials are complete */
    struct kd_cma_state state;
    int n_earlier, n_taken;
    int *generation, n_collected;
    uint64_t mark; /* of the last trial that was taken in */
};

static const char *const restart_names[] = {"none", "ipop", "bipop", NULL};

static const struct kd_setting cmaes_settings[] = {
    {"sigma", KD_SETTING_NUMBER, "0.1666666666666667", 1e-6, 1, NULL,
     "first step size, as a share of each parameter's range"},
    {"popsize", KD_SETTING_INT, "0", 0, 65536, NULL,
     "finished trials that make a generation; 0: 4 + 3 ln(parameters)"},
    {"restart_strategy", KD_SETTING_CHOICE, "ipop", 0, 0, restart_names,
     "how the population changes when a run has converged"},
    {"inc_popsize", KD_SETTING_INT, "2", 1, 16, NULL, "growth of the population by a restart"},
    {"lr_adapt", KD_SETTING_BOOL, "false", 0, 1, NULL,
     "adapt the learning rates: for noise and many optima, slower without"},
    {"surrogate", KD_SETTING_BOOL, "true", 0, 1, NULL,
     "let a quadratic model choose among draws, and propose its minimum"},
    {"warm_start", KD_SETTING_BOOL, "true", 0, 1, NULL,
     "begin at the best tenth of the trials that are known when it begins"},
    {"n_startup_trials", KD_SETTING_INT, "0", 0, 1e6, NULL,
     "random trials before the model is used"},
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

static int default_lambda(const struct kd_chart *chart)
{
    int d = chart->n_numbers + chart->n_choices;
    return 4 + (int)floor(3 * kd_ln(d > 1 ? d : 1));
}

static void read_settings(struct cmaes *self, const struct kd_settings *settings)
{
    double lambda = kd_settings_number(settings, "popsize");
    const char *restarts = kd_settings_text(settings, "restart_strategy");
    struct kd_cma_options *options = &self->options;
    options->lambda = lambda > 0 ? (int)lambda : default_lambda(&self->chart);
    options->sigma = kd_settings_number(settings, "sigma");
    options->growth = (int)kd_settings_number(settings, "inc_popsize");
    options->adapt_rates = kd_settings_number(settings, "lr_adapt") != 0;
    options->use_surrogate = kd_settings_number(settings, "surrogate") != 0;
    options->gamma = 0.1;
    options->alpha = 0.1;
    while (strcmp(restart_names[options->restarts], restarts) != 0)
        options->restarts++;
    self->n_startup = (int)kd_settings_number(settings, "n_startup_trials");
    self->warm_start = kd_settings_number(settings, "warm_start") != 0;
}

static void cmaes_free(void *self_)
{
    struct cmaes *self = self_;
    if (!self)
        return;
    if (self->has_state)
        kd_cma_state_release(&self->state);
    kd_chart_release(&self->chart);
    free(self->generation);
    free(self);
}

static bool has_number(const struct kd_space *space)
{
    for (int i = 0; i < space->n_params; i++) {
        if (space->params[i].type != KD_PARAM_CATEGORICAL)
            return true;
    }
    return false;
}

void *kd_cmaes_new_from(const struct kd_task *task, const struct kd_settings *settings,
                        uint64_t seed, int first, struct kd_error *err)
{
    if (!has_number(task->space)) {
        kd_fail(err,
                "cmaes: needs a parameter that is a number (double, int or discrete), and of %d "
                "there is none; use tpe or random for categorical ones",
                task->space->n_params);
        return NULL;
    }
    struct kd_settings defaults;
    kd_settings_init(&defaults, cmaes_settings);
    struct cmaes *self = KD_NEW(struct cmaes);
    *self = (struct cmaes){.seed = seed, .first = first};
    kd_chart_init(&self->chart, task->space);
    read_settings(self, settings ? settings : &defaults);
    kd_settings_release(&defaults);
    return self;
}

static void *cmaes_new(const struct kd_task *task, const struct kd_settings *settings,
                       uint64_t seed, struct kd_error *err)
{
    return kd_cmaes_new_from(task, settings, seed, 0, err);
}

/* The number of the first trial that is drawn from the model. */
static int first_own(const struct cmaes *self, const struct kd_history *history)
{
    int first = history->n_prior + self->n_startup;
    return first > self->first ? first : self->first;
}

/* What tells one history from another where the last trial was taken in. */
static uint64_t mark_of(const struct kd_history *history, int n_taken)
{
    if (n_taken == 0)
        return 0;
    const struct kd_observation *trial = &history->trials[history->done[n_taken - 1]];
    uint64_t bits;
    memcpy(&bits, &trial->objective, sizeof bits);
    return kd_hash2(kd_point_hash(history->space, trial->values),
                    kd_hash2(bits, (uint64_t)trial->number));
}

static void begin(struct cmaes *self, const struct kd_history *history, int n_earlier)
{
    int *numbers = KD_NEW_ARRAY(int, (size_t)n_earlier + 1), n = 0;
    for (int i = 0; i < n_earlier && self->warm_start; i++)
        numbers[n++] = history->done[i];
    if (self->has_state)
        kd_cma_state_release(&self->state);
    kd_cma_state_begin(&self->state, &self->chart, &self->options, self->seed, history, numbers, n);
    free(numbers);
    self->has_state = true;
    self->own_seen = false;
    self->n_earlier = self->n_taken = n_earlier;
    self->n_collected = 0;
}

/* The earlier trials are those that finished before any of the model's own. Until then they can
 * become more. */
static void sync_earlier(struct cmaes *self, const struct kd_history *history)
{
    int n = 0, first = first_own(self, history);
    while (n < history->n_done && history->done[n] < first)
        n++;
    if (!self->has_state || self->n_earlier != n)
        begin(self, history, n);
    self->own_seen = n < history->n_done;
}

static void take(struct cmaes *self, const struct kd_history *history, int number)
{
    int lambda = self->state.plan.lambda;
    self->generation = kd_realloc_array(self->generation, (size_t)lambda, sizeof *self->generation);
    self->generation[self->n_collected++] = number;
    if (self->n_collected < lambda)
        return;
    kd_cma_state_learn(&self->state, history, self->n_taken, self->generation);
    self->n_collected = 0;
}

static void sync(struct cmaes *self, const struct kd_history *history)
{
    bool goes_on = self->has_state && self->n_taken <= history->n_done &&
                   self->mark == mark_of(history, self->n_taken);
    if (!goes_on && self->has_state) {
        kd_cma_state_release(&self->state);
        self->has_state = self->own_seen = false;
    }
    if (!self->own_seen)
        sync_earlier(self, history);
    while (self->own_seen && self->n_taken < history->n_done)
        take(self, history, history->done[self->n_taken++]);
    self->mark = mark_of(history, self->n_taken);
}

static int ask_one(void *self_, const struct kd_history *history, double *point)
{
    struct cmaes *self = self_;
    if (history->n < first_own(self, history)) {
        struct kd_rng rng = kd_rng_at(self->seed, (uint64_t)history->n);
        for (int i = 0; i < self->chart.n_params; i++)
            point[i] = kd_axis_draw(&self->chart.axes[i], &rng);
        return 1;
    }
    sync(self, history);
    kd_cma_point_draw(&self->state, history, history->n, point);
    return 1;
}

static int cmaes_ask(void *self, const struct kd_history *history, int n, double *points)
{
    return kd_ask_in_turn(ask_one, self, history, n, points);
}

const struct kd_strategy kd_strategy_cmaes = {
    .name = "cmaes",
    .summary = "covariance matrix adaptation, with restarts and a margin for values on a grid",
    .settings = cmaes_settings,
    .can = KD_CAN_CONDITIONS | KD_CAN_CONSTRAINTS,
    .new = cmaes_new,
    .ask = cmaes_ask,
    .free = cmaes_free,
};
