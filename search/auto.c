/* auto.c - the default: strategies that take turns, chosen by the space and by how much is known.
 *
 *     the user's points           first (the sampler sees to that)
 *     several objectives or conditional parameters
 *                                 TPE
 *     mostly numbers of more than 100 values
 *                                 CMA-ES, TPE, and twice a Gaussian process
 *     otherwise                   twice the process, and TPE
 *     from trial 200 on           CMA-ES where most are such numbers, TPE where they are not: by then the process
 *                                 costs more time and learns less
 *
 * Each finds what the others miss and learns from it: the process is best on smooth objectives, TPE
 * on rugged ones, CMA-ES where parameters depend on each other. On tests/bench/search the turns are
 * better than any of the three alone.
 *
 * A finite space that is no larger than the budget is enumerated: nothing is proposed twice, so
 * every point is tried once, the most promising first.
 *
 * Whose turn it is depends on the trial's number alone, so a replay asks the same strategy; each of
 * them sees the whole history, whoever proposed its points. */
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/cmaes.h"
#include "search/strategy.h"

extern const struct kd_strategy kd_strategy_tpe, kd_strategy_bayesianoptimization,
    kd_strategy_cmaes;

enum { BEGINNING = 10, MANY_TRIALS = 200 };

/* Who proposes, trial after trial. The beginning, where CMA-ES has nothing to start from, is the
 * others'. */
enum member { TPE, GP, CMAES };

struct turns {
    int n;
    enum member members[4];
};

static const struct turns tpe_alone = {1, {TPE}};
static const struct turns numbers_first = {2, {GP, TPE}}, numbers_few = {4, {CMAES, TPE, GP, GP}},
                          numbers_many = {1, {CMAES}};
static const struct turns mixed_few = {3, {GP, GP, TPE}};

struct auto_ {
    struct kd_task task;
    uint64_t seed;
    const struct turns *first, *few, *many; /* trials */
    void *tpe, *gp, *cmaes; /* NULL where they do not serve; cmaes: until it is needed */
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

/* Are most parameters numbers, continuous or nearly so? */
static bool is_mostly_continuous(const struct kd_space *space)
{
    enum { MANY_VALUES = 100 };
    int n = 0;
    for (int i = 0; i < space->n_params; i++)
        n += space->params[i].type != KD_PARAM_CATEGORICAL &&
             kd_param_count(&space->params[i]) > MANY_VALUES;
    return 2 * n > space->n_params;
}

static void choose_turns(struct auto_ *self)
{
    self->first = self->few = self->many = &tpe_alone;
    if (kd_space_is_conditional(self->task.space))
        return;
    self->gp = new_part(&kd_strategy_bayesianoptimization, &self->task, self->seed);
    if (!self->gp)
        return;
    self->first = self->few = &mixed_few;
    if (!is_mostly_continuous(self->task.space))
        return;
    self->first = &numbers_first;
    self->few = &numbers_few;
    self->many = &numbers_many;
}

static void *auto_new(const struct kd_task *task, const struct kd_settings *settings, uint64_t seed,
                      struct kd_error *err)
{
    (void)settings, (void)err;
    struct auto_ *self = KD_NEW(struct auto_);
    *self = (struct auto_){.task = *task, .seed = seed};
    self->tpe = new_part(&kd_strategy_tpe, task, seed);
    choose_turns(self);
    return self;
}

static int ask_cmaes(struct auto_ *self, const struct kd_history *history, double *point)
{
    if (!self->cmaes)
        self->cmaes =
            kd_cmaes_new_from(&self->task, NULL, self->seed, history->n_prior + BEGINNING, NULL);
    return kd_strategy_cmaes.ask(self->cmaes, history, 1, point);
}

static enum member member_of(const struct auto_ *self, int number)
{
    const struct turns *turns = number < BEGINNING     ? self->first
                                : number < MANY_TRIALS ? self->few
                                                       : self->many;
    return turns->members[number % turns->n];
}

static int ask_one(void *self_, const struct kd_history *history, double *point)
{
    struct auto_ *self = self_;
    switch (member_of(self, history->n - history->n_prior)) {
    case GP:
        return kd_strategy_bayesianoptimization.ask(self->gp, history, 1, point);
    case CMAES:
        return ask_cmaes(self, history, point);
    default:
        return kd_strategy_tpe.ask(self->tpe, history, 1, point);
    }
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
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_strategy kd_strategy_auto = {
    .name = "auto",
    .summary = "a Gaussian process, TPE and CMA-ES in turn, by the space and the history",
    .settings = auto_settings,
    .can = KD_CAN_CONDITIONS | KD_CAN_OBJECTIVES | KD_CAN_CONSTRAINTS,
    .new = auto_new,
    .ask = auto_ask,
    .free = auto_free,
};
