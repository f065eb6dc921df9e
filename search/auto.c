/* auto.c - the default: a strategy chosen by the space and by how much is known.
 *
 *     the user's points     first (the sampler sees to that)
 *     several objectives, conditional parameters, a space mostly of choices
 *                           TPE
 *     otherwise             a Gaussian process and TPE in turn: each finds what the other misses, and learns from it,
 *                           the process on smooth objectives, TPE on rugged ones
 *     from trial 300 on     CMA-ES in place of the process where there are numbers, warm-started from what is known: by
 *                           then a process costs more time and learns less
 *
 * A finite space that is no larger than the budget is enumerated: nothing is proposed twice, so every point is tried
 * once, the most promising first.
 *
 * Who proposes depends on the trial's number alone, so a replay asks the same strategy; each of them sees the whole
 * history, whoever proposed its points. */
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/cmaes.h"
#include "search/strategy.h"

extern const struct kd_strategy kd_strategy_tpe, kd_strategy_bayesianoptimization,
    kd_strategy_cmaes;

enum { MANY_TRIALS = 300 };

struct auto_ {
    struct kd_task task;
    uint64_t seed;
    void *tpe, *gp, *cmaes; /* gp, cmaes: NULL where they do not serve; cmaes: until it is needed */
    int turn;               /* every so many-th trial is TPE's */
    bool has_cmaes;         /* can serve */
};

/* With its default settings. NULL: it does not fit the task. */
static void *new_part(const struct kd_strategy *strategy, const struct kd_task *task, uint64_t seed)
{
    struct kd_settings settings;
    struct kd_error err;
    if (kd_strategy_fits(strategy, task, &err) < 0)
        return NULL;
    kd_settings_init(&settings, strategy->settings);
    void *part = strategy->new (task, &settings, seed, &err);
    kd_settings_release(&settings);
    return part;
}

/* Parameters that have no order, or so few values that they are hardly a scale. */
static int n_choices(const struct kd_space *space)
{
    enum { FEW = 4 };
    int n = 0;
    for (int i = 0; i < space->n_params; i++)
        n += space->params[i].type == KD_PARAM_CATEGORICAL ||
             kd_param_count(&space->params[i]) <= FEW;
    return n;
}

static void choose_parts(struct auto_ *self)
{
    const struct kd_space *space = self->task.space;
    int choices = n_choices(space);
    bool is_mostly_choices = 2 * choices > space->n_params;
    self->tpe = new_part(&kd_strategy_tpe, &self->task, self->seed);
    if (is_mostly_choices)
        return;
    self->gp = new_part(&kd_strategy_bayesianoptimization, &self->task, self->seed);
    self->has_cmaes = self->gp && choices < space->n_params &&
                      kd_strategy_fits(&kd_strategy_cmaes, &self->task, NULL) == 0;
}

static void *auto_new(const struct kd_task *task, const struct kd_settings *settings, uint64_t seed,
                      struct kd_error *err)
{
    (void)err;
    struct auto_ *self = KD_NEW(struct auto_);
    *self = (struct auto_){.task = *task, .seed = seed};
    self->turn = (int)kd_settings_number(settings, "tpe_turn");
    choose_parts(self);
    return self;
}

static int ask_cmaes(struct auto_ *self, const struct kd_history *history, double *point)
{
    if (!self->cmaes)
        self->cmaes =
            kd_cmaes_new_from(&self->task, NULL, self->seed, history->n_prior + MANY_TRIALS, NULL);
    return kd_strategy_cmaes.ask(self->cmaes, history, 1, point);
}

static int ask_one(void *self_, const struct kd_history *history, double *point)
{
    struct auto_ *self = self_;
    int number = history->n - history->n_prior;
    bool is_tpes_turn = self->turn > 0 && number % self->turn == self->turn - 1;
    if (!self->gp || is_tpes_turn)
        return kd_strategy_tpe.ask(self->tpe, history, 1, point);
    if (number >= MANY_TRIALS && self->has_cmaes)
        return ask_cmaes(self, history, point);
    return kd_strategy_bayesianoptimization.ask(self->gp, history, 1, point);
}

static int auto_ask(void *self, const struct kd_history *history, int n, double *points)
{
    return kd_ask_in_turn(ask_one, self, history, n, points);
}

static void auto_free(void *self_)
{
    struct auto_ *self = self_;
    if (!self)
        return;
    kd_strategy_tpe.free(self->tpe);
    kd_strategy_bayesianoptimization.free(self->gp);
    kd_strategy_cmaes.free(self->cmaes);
    free(self);
}

static const struct kd_setting auto_settings[] = {
    {"tpe_turn", KD_SETTING_INT, "2", 0, 1e6, NULL,
     "every so many-th trial is proposed by TPE, beside the Gaussian process; 0: none"},
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_strategy kd_strategy_auto = {
    .name = "auto",
    .summary = "a Gaussian process with TPE, TPE alone or CMA-ES, by the space and the history",
    .settings = auto_settings,
    .can = KD_CAN_CONDITIONS | KD_CAN_OBJECTIVES | KD_CAN_CONSTRAINTS,
    .new = auto_new,
    .ask = auto_ask,
    .free = auto_free,
};
