/* medianstop.c - stops a trial whose best objective so far is worse than the median of what
 * finished trials had reached by the same step: the median rule of Golovin et al., "Google Vizier",
 * KDD 2017, section 3.1.
 *
 * At a report at step s >= start_step of a running trial:
 *
 *     own   = best (smallest) finite report of this trial up to s
 *     bar   = median over the completed trials of the mean of their finite reports up to s
 *     stop  when own > bar, or when no report of this trial has been finite
 *
 * A completed trial without a finite report up to s has no mean and is left out; the rule is silent
 * while fewer than min_trials_required have one. Early-stopped and failed trials set no bar: they
 * were cut where they were bad, and would loosen it. The bar is that of all trials that are
 * finished at the time of the report. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/stopper.h"
#include "search/stoppers/standings.h"

struct medianstop {
    int min_trials;
    int64_t start_step;
    struct kd_standings standings; /* of running averages */
};

/* Mean of the finite reports up to the step; NaN when there is none. Divided first: a sum of 1e308s
 * overflows. */
static double mean_up_to(const struct kd_observation *trial, int64_t step)
{
    double mean = 0;
    int n = 0;
    for (int i = 0; i < trial->n_reports && trial->reports[i].step <= step; i++) {
        double value = trial->reports[i].value;
        if (!isfinite(value))
            continue;
        n++;
        mean += value / n - mean / n;
    }
    return n > 0 ? mean : NAN;
}

static void *medianstop_new(const struct kd_task *task, const struct kd_settings *settings,
                            uint64_t seed, struct kd_error *err)
{
    (void)task, (void)seed, (void)err;
    struct medianstop *self = KD_NEW(struct medianstop);
    self->min_trials = (int)kd_settings_number(settings, "min_trials_required");
    self->start_step = (int64_t)kd_settings_number(settings, "start_step");
    self->standings.value = mean_up_to;
    return self;
}

static enum kd_verdict medianstop_judge(void *self_, const struct kd_history *history, int number,
                                        const struct kd_report *report)
{
    struct medianstop *self = self_;
    if (report->step < self->start_step)
        return KD_GO;
    const struct kd_ranking *means = kd_standings_at(&self->standings, history, report->step);
    if (means->n == 0 || means->n < self->min_trials)
        return KD_GO;
    double own = kd_best_up_to(&history->trials[number], report->step);
    return own > kd_ranking_quantile(means, 0.5) ? KD_STOP : KD_GO;
}

static void medianstop_free(void *self_)
{
    struct medianstop *self = self_;
    if (self)
        kd_standings_release(&self->standings);
    free(self);
}

static const struct kd_setting medianstop_settings[] = {
    {"min_trials_required", KD_SETTING_INT, "3", 1, 1e9, NULL,
     "completed trials that have reached the step before the rule speaks"},
    {"start_step", KD_SETTING_INT, "4", 1, 1e15, NULL, "first step at which a trial is judged"},
    {0},
};

const struct kd_stopper kd_stopper_medianstop = {
    .name = "medianstop",
    .summary =
        "stops a trial whose best is worse than the median running average of completed ones",
    .settings = medianstop_settings,
    .new = medianstop_new,
    .judge = medianstop_judge,
    .free = medianstop_free,
};
