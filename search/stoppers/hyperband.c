/* hyperband.c - successive halving over several brackets, from many short trials to few whole ones
 * (Li et al., "Hyperband", JMLR 18, 2018, algorithm 1), with asynchronous promotion inside a
 * bracket as in asha.c.
 *
 * With R the steps of a whole trial and s_max the largest s with eta^s <= R, bracket s = s_max .. 0
 * starts trials at R / eta^s steps. The paper gives every bracket the same amount of training, that
 * is n_s = ceil((s_max + 1) / (s + 1) * eta^s) of the trials, runs one bracket after the other, and
 * waits at each rung. Here every trial has a bracket by its number, a promotion waits for nobody,
 * brackets go on for as long as there are trials; and each is given half the training of the one
 * before (budgets = halved), which keeps the insurance against misleading short trials and lowers
 * its price: a quarter more time than asha on learning curves that are not misleading, in place of
 * two thirds.
 *
 * Katib's names: r_l is R, in place of fidelity.max; resource_name is the parameter by which a
 * trial learns how long it is to train, where it cannot be resumed: whoever runs the trials acts on
 * it, the decisions do not depend on it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/stoppers/rungs.h"

static double trials_of(int s_max, int s, int eta)
{
    double power = 1;
    for (int i = 0; i < s; i++)
        power *= eta;
    double n = (s_max + 1) * power;
    return -floor(-n / (s + 1));
}

static void fill_brackets(struct kd_rungs *rungs, int64_t max, bool is_halved)
{
    int s_max = rungs->n_brackets - 1;
    double budget = 1;
    for (int i = 0; i < rungs->n_brackets; i++) {
        int s = s_max - i;
        rungs->brackets[i].ladder = kd_ladder_down(max, rungs->eta, s);
        rungs->brackets[i].share = budget * trials_of(s_max, s, rungs->eta);
        budget *= is_halved ? 0.5 : 1;
    }
}

/* The steps of a whole trial; -1 and err when they are not known or given twice. */
static int64_t read_max(const struct kd_task *task, const struct kd_settings *settings,
                        struct kd_error *err)
{
    if (!kd_settings_given(settings, "r_l")) {
        if (task->fidelity_max >= 1)
            return task->fidelity_max;
        return kd_fail(err,
                       "hyperband needs the length of a whole trial; give fidelity.max or r_l");
    }
    double given = kd_settings_number(settings, "r_l");
    int64_t r_l = (int64_t)given;
    if (floor(given) != given)
        return kd_fail(err, "r_l: %g is not a whole number of steps", given);
    if (task->fidelity_max >= 1 && task->fidelity_max != r_l)
        return kd_fail(err, "r_l: %lld is not fidelity.max, %lld; leave one of them out",
                       (long long)r_l, (long long)task->fidelity_max);
    return r_l;
}

static void *hyperband_new(const struct kd_task *task, const struct kd_settings *settings,
                           uint64_t seed, struct kd_error *err)
{
    int64_t max = read_max(task, settings, err);
    if (max < 0)
        return NULL;
    int eta = (int)kd_settings_number(settings, "eta");
    struct kd_rungs *rungs = KD_NEW(struct kd_rungs);
    kd_rungs_init(rungs, kd_ladder_halvings(max, eta) + 1, eta, seed);
    rungs->is_open_ended = task->fidelity_max >= 1;
    fill_brackets(rungs, max, strcmp(kd_settings_text(settings, "budgets"), "halved") == 0);
    return rungs;
}

static enum kd_verdict hyperband_judge(void *self, const struct kd_history *history, int number,
                                       const struct kd_report *report)
{
    (void)self;
    return kd_judge_until(history, number, report);
}

static struct kd_next hyperband_next(void *self, const struct kd_history *history, double *point)
{
    return kd_rungs_next(self, history, point != NULL);
}

static void hyperband_free(void *self)
{
    if (self)
        kd_rungs_release(self);
    free(self);
}

static const char *const budgets[] = {"halved", "equal", NULL};

static const struct kd_setting hyperband_settings[] = {
    {"r_l", KD_SETTING_NUMBER, NULL, 1, 0x1p53, NULL,
     "steps of a whole trial, a whole number (or fidelity.max)"},
    {"eta", KD_SETTING_INT, "3", 2, 1e6, NULL, "one in so many goes on at a rung"},
    {"budgets", KD_SETTING_CHOICE, "halved", 0, 0, budgets,
     "training of each bracket: half of the one before it, or the same (the paper's)"},
    {"resource_name", KD_SETTING_TEXT, NULL, 0, 0, NULL,
     "parameter that is given to a trial as the step to train until"},
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_stopper kd_stopper_hyperband = {
    .name = "hyperband",
    .summary = "successive halving over several brackets, from many short trials to few whole ones",
    .settings = hyperband_settings,
    .can = KD_STOPPER_PAUSES,
    .new = hyperband_new,
    .judge = hyperband_judge,
    .next = hyperband_next,
    .free = hyperband_free,
};
