/* asha.c - asynchronous successive halving (Li et al., "A system for massively parallel
 * hyperparameter tuning", MLSys 2020, arXiv 1810.05934): most trials are given up at the first
 * rungs, the best go on to the next.
 *
 * Rungs are min_resource * reduction_factor^k below fidelity.max; bracket s leaves out the first s
 * of them.
 *
 *     promotion   a trial pauses at every rung. A free slot resumes, from the top rung down, the best paused trial
 *                 that is among the best 1/eta of all that reached its rung; when there is none it starts a new
 *                 trial. Beside algorithm 2 of the paper, no more than 1/eta leave the first rung in all (the paper's
 *                 "best 1/eta so far" let more pass): Hyper-Tune's delay (Li et al., VLDB 2022, arXiv 2201.06834),
 *                 at the first rung alone.
 *     stopping    a trial goes on at a rung when fewer than 1/eta of what reached it so far, itself included, are
 *                 better; the best so far always goes on. For trials that cannot be resumed.
 *
 * When no new trial may start, promotion fills the places that are left (1/eta of each rung, one at
 * least) and ends. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/stoppers/rungs.h"

struct asha {
    struct kd_rungs rungs;
    bool pauses;
};

static bool pauses_with(const struct kd_settings *settings)
{
    return strcmp(kd_settings_text(settings, "type"), "promotion") == 0;
}

static unsigned asha_can_with(const struct kd_settings *settings)
{
    return pauses_with(settings) ? KD_STOPPER_PAUSES : 0;
}

/* Each bracket is given the same amount of training: fewer trials where the first rung is
 * higher. */
static void fill_brackets(struct kd_rungs *rungs, int64_t min, int64_t max)
{
    struct kd_ladder whole = kd_ladder_up(min, max, rungs->eta);
    for (int i = 0; i < rungs->n_brackets; i++) {
        struct kd_ladder *ladder = &rungs->brackets[i].ladder;
        ladder->n = whole.n - i;
        memcpy(ladder->steps, &whole.steps[i], (size_t)ladder->n * sizeof whole.steps[0]);
        rungs->brackets[i].share =
            (double)whole.steps[0] / (double)ladder->steps[0] * whole.n / ladder->n;
    }
}

static void *asha_new(const struct kd_task *task, const struct kd_settings *settings, uint64_t seed,
                      struct kd_error *err)
{
    int64_t min = (int64_t)kd_settings_number(settings, "min_resource"), max = task->fidelity_max;
    int eta = (int)kd_settings_number(settings, "reduction_factor");
    int n_brackets = (int)kd_settings_number(settings, "brackets");
    if (min > max) {
        kd_fail(err, "min_resource: %lld is above fidelity.max, %lld; make it smaller",
                (long long)min, (long long)max);
        return NULL;
    }
    int most = kd_ladder_up(min, max, eta).n;
    if (n_brackets > most) {
        kd_fail(err,
                "brackets: %d is more than the %d rungs from min_resource %lld to fidelity.max "
                "%lld; make it smaller",
                n_brackets, most, (long long)min, (long long)max);
        return NULL;
    }
    struct asha *self = KD_NEW(struct asha);
    kd_rungs_init(&self->rungs, n_brackets, eta, seed);
    self->rungs.is_open_ended = true;
    self->pauses = pauses_with(settings);
    fill_brackets(&self->rungs, min, max);
    return self;
}

static enum kd_verdict asha_judge(void *self_, const struct kd_history *history, int number,
                                  const struct kd_report *report)
{
    struct asha *self = self_;
    return self->pauses ? kd_judge_until(history, number, report)
                        : kd_rungs_stop(&self->rungs, history, number, report);
}

static struct kd_next asha_next(void *self_, const struct kd_history *history, double *point)
{
    struct asha *self = self_;
    return self->pauses ? kd_rungs_next(&self->rungs, history, point != NULL)
                        : kd_next_plain(history, point);
}

static void asha_free(void *self_)
{
    struct asha *self = self_;
    if (self)
        kd_rungs_release(&self->rungs);
    free(self);
}

static const char *const types[] = {"promotion", "stopping", NULL};

static const struct kd_setting asha_settings[] = {
    {"type", KD_SETTING_CHOICE, "promotion", 0, 0, types,
     "promotion: trials pause at rungs and the best are resumed; stopping: the others are stopped"},
    {"min_resource", KD_SETTING_INT, "1", 1, 0x1p53, NULL, "step of the first rung"},
    {"reduction_factor", KD_SETTING_INT, "3", 2, 1e6, NULL, "one in so many goes on at a rung"},
    {"brackets", KD_SETTING_INT, "1", 1, KD_LADDER_MOST, NULL,
     "ladders side by side, each without the first rung of the one before"},
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_stopper kd_stopper_asha = {
    .name = "asha",
    .summary = "asynchronous successive halving: the best third of each rung goes on",
    .settings = asha_settings,
    .needs = KD_STOPPER_NEEDS_MAX,
    .can = KD_STOPPER_PAUSES,
    .new = asha_new,
    .judge = asha_judge,
    .next = asha_next,
    .can_with = asha_can_with,
    .instead = "set type: stopping, which ends the others at a rung",
    .free = asha_free,
};
