/* percentile.c - stops a trial whose best report so far is outside the best share of what the
 * completed trials had at the same step (Optuna's PercentilePruner; percentile 50 is its
 * MedianPruner).
 *
 * At a report at step s of a running trial, when the check is due:
 *
 *     own   = best (smallest) finite report of this trial up to s
 *     bar   = percentile of the reports at exactly s of the completed trials, linear between neighbours
 *     stop  when own > bar, or when no report of this trial has been finite
 *
 * not before n_startup_trials have completed and n_min_trials of them have a report at s, and not
 * before step n_warmup_steps; then at the first report in each interval_steps. A report that is NaN
 * is left out, an infinite one is the worst. The best `percentile` percent go on, in the user's
 * direction. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/stopper.h"
#include "search/stoppers/standings.h"

struct percentile {
    struct kd_standings standings;
    double share;
    int n_startup_trials, n_min_trials;
    int64_t n_warmup_steps, interval_steps;
    int n_done, n_complete; /* of history->done, seen; and of them completed */
};

static double value_at(const struct kd_observation *trial, int64_t step)
{
    int at = kd_observation_report_at(trial, step);
    if (at == trial->n_reports || trial->reports[at].step != step)
        return NAN;
    double value = trial->reports[at].value;
    return isinf(value) ? INFINITY : value;
}

static void *percentile_new(const struct kd_task *task, const struct kd_settings *settings,
                            uint64_t seed, struct kd_error *err)
{
    (void)task, (void)seed, (void)err;
    struct percentile *self = KD_NEW(struct percentile);
    *self = (struct percentile){
        .standings = {.value = value_at},
        .share = kd_settings_number(settings, "percentile") / 100,
        .n_startup_trials = (int)kd_settings_number(settings, "n_startup_trials"),
        .n_min_trials = (int)kd_settings_number(settings, "n_min_trials"),
        .n_warmup_steps = (int64_t)kd_settings_number(settings, "n_warmup_steps"),
        .interval_steps = (int64_t)kd_settings_number(settings, "interval_steps")};
    return self;
}

static int count_complete(struct percentile *self, const struct kd_history *history)
{
    if (history->n_done < self->n_done)
        self->n_done = self->n_complete = 0;
    for (; self->n_done < history->n_done; self->n_done++)
        self->n_complete += history->trials[history->done[self->n_done]].outcome == KD_COMPLETE;
    return self->n_complete;
}

static enum kd_verdict percentile_judge(void *self_, const struct kd_history *history, int number,
                                        const struct kd_report *report)
{
    struct percentile *self = self_;
    const struct kd_observation *trial = &history->trials[number];
    int n_complete = count_complete(self, history);
    if (n_complete == 0 || n_complete < self->n_startup_trials ||
        !kd_is_check_due(trial, report->step, self->n_warmup_steps, self->interval_steps))
        return KD_GO;
    double own = kd_best_up_to(trial, report->step);
    if (own == INFINITY)
        return KD_STOP;
    const struct kd_ranking *ranking = kd_standings_at(&self->standings, history, report->step);
    if (ranking->n == 0 || ranking->n < self->n_min_trials)
        return KD_GO;
    return own > kd_ranking_quantile(ranking, self->share) ? KD_STOP : KD_GO;
}

static void percentile_free(void *self_)
{
    struct percentile *self = self_;
    if (self)
        kd_standings_release(&self->standings);
    free(self);
}

static const struct kd_setting percentile_settings[] = {
    {"percentile", KD_SETTING_NUMBER, "25", 0, 100, NULL, "percent of the trials that go on"},
    {"n_startup_trials", KD_SETTING_INT, "5", 0, 1e9, NULL,
     "completed trials before the rule speaks"},
    {"n_warmup_steps", KD_SETTING_INT, "0", 0, 1e15, NULL, "first step at which a trial is judged"},
    {"interval_steps", KD_SETTING_INT, "1", 1, 1e15, NULL, "steps between checks"},
    {"n_min_trials", KD_SETTING_INT, "1", 1, 1e9, NULL,
     "completed trials with a report at the step before the rule speaks"},
    {0},
};

const struct kd_stopper kd_stopper_percentile = {
    .name = "percentile",
    .summary = "stops a trial whose best is outside the best share of completed ones at its step",
    .settings = percentile_settings,
    .new = percentile_new,
    .judge = percentile_judge,
    .free = percentile_free,
};
