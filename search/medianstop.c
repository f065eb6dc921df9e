/* medianstop.c - stops a trial whose best objective so far is worse than the median of what finished trials had
 * reached by the same step: the median rule of Golovin et al., "Google Vizier", KDD 2017, section 3.1.
 *
 * At a report at step s >= start_step of a running trial:
 *
 *     own   = best (smallest) finite report of this trial up to s
 *     bar   = median over the completed trials of the mean of their finite reports up to s
 *     stop  when own > bar, or when no report of this trial has been finite
 *
 * A completed trial without a finite report up to s has no mean and is left out; the rule is silent while fewer than
 * min_trials_required have one. Early-stopped and failed trials set no bar: they were cut where they were bad, and
 * would loosen it. The bar is made anew at each report, from all trials that are finished by then. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/stopper.h"

struct medianstop {
    int min_trials, start_step;
};

static void *medianstop_new(const struct kd_task *task, const struct kd_settings *settings,
                            uint64_t seed, struct kd_error *err)
{
    (void)task, (void)seed, (void)err;
    struct medianstop *self = KD_NEW(struct medianstop);
    self->min_trials = (int)kd_settings_number(settings, "min_trials_required");
    self->start_step = (int)kd_settings_number(settings, "start_step");
    return self;
}

/* Mean of the finite reports up to the step; NaN when there is none. Divided first: a sum of 1e308s overflows. */
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

static double best_up_to(const struct kd_observation *trial, int64_t step)
{
    double best = INFINITY;
    for (int i = 0; i < trial->n_reports && trial->reports[i].step <= step; i++) {
        double value = trial->reports[i].value;
        if (isfinite(value) && value < best)
            best = value;
    }
    return best;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    int middle = n / 2;
    return n % 2 == 1 ? values[middle] : 0.5 * values[middle - 1] + 0.5 * values[middle];
}

/* Fills means[] and returns how many. */
static int collect_means(const struct kd_history *history, int64_t step, double *means)
{
    int n = 0;
    for (int i = 0; i < history->n_done; i++) {
        const struct kd_observation *trial = &history->trials[history->done[i]];
        if (trial->outcome != KD_COMPLETE)
            continue;
        double mean = mean_up_to(trial, step);
        if (!isnan(mean))
            means[n++] = mean;
    }
    return n;
}

static enum kd_verdict medianstop_judge(void *self_, const struct kd_history *history, int number,
                                        const struct kd_report *report)
{
    const struct medianstop *self = self_;
    if (report->step < self->start_step)
        return KD_GO;
    double *means = KD_NEW_ARRAY(double, (size_t)history->n_done + 1);
    int n = collect_means(history, report->step, means);
    enum kd_verdict verdict = KD_GO;
    if (n > 0 && n >= self->min_trials &&
        best_up_to(&history->trials[number], report->step) > median(means, n))
        verdict = KD_STOP;
    free(means);
    return verdict;
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
    .free = free,
};
