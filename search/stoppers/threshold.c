/* threshold.c - stops a trial that reports a value outside [lower, upper], or NaN (Optuna's
 * ThresholdPruner). The bounds are in the user's direction: of the metric as it is written, whether
 * it is minimised or maximised. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/stopper.h"
#include "search/stoppers/standings.h"

struct threshold {
    double lower, upper, sign;
    int64_t n_warmup_steps, interval_steps;
};

static double bound_or(const struct kd_settings *settings, const char *name, double otherwise)
{
    return kd_settings_given(settings, name) ? kd_settings_number(settings, name) : otherwise;
}

static void *threshold_new(const struct kd_task *task, const struct kd_settings *settings,
                           uint64_t seed, struct kd_error *err)
{
    (void)seed;
    double lower = bound_or(settings, "lower", -INFINITY);
    double upper = bound_or(settings, "upper", INFINITY);
    if (lower == -INFINITY && upper == INFINITY) {
        kd_fail(err, "threshold has nothing to compare with; give lower, upper or both");
        return NULL;
    }
    if (lower > upper) {
        kd_fail(err, "lower: %g is above upper, %g; exchange them", lower, upper);
        return NULL;
    }
    struct threshold *self = KD_NEW(struct threshold);
    *self = (struct threshold){
        .lower = lower,
        .upper = upper,
        .sign = task->maximize ? -1 : 1,
        .n_warmup_steps = (int64_t)kd_settings_number(settings, "n_warmup_steps"),
        .interval_steps = (int64_t)kd_settings_number(settings, "interval_steps")};
    return self;
}

static enum kd_verdict threshold_judge(void *self_, const struct kd_history *history, int number,
                                       const struct kd_report *report)
{
    const struct threshold *self = self_;
    if (!kd_is_check_due(&history->trials[number], report->step, self->n_warmup_steps,
                         self->interval_steps))
        return KD_GO;
    double value = self->sign * report->value;
    return value >= self->lower && value <= self->upper ? KD_GO : KD_STOP;
}

static const struct kd_setting threshold_settings[] = {
    {"lower", KD_SETTING_NUMBER, NULL, -INFINITY, INFINITY, NULL, "smallest value that goes on"},
    {"upper", KD_SETTING_NUMBER, NULL, -INFINITY, INFINITY, NULL, "largest value that goes on"},
    {"n_warmup_steps", KD_SETTING_INT, "0", 0, 1e15, NULL, "first step at which a trial is judged"},
    {"interval_steps", KD_SETTING_INT, "1", 1, 1e15, NULL, "steps between checks"},
    {0},
};

const struct kd_stopper kd_stopper_threshold = {
    .name = "threshold",
    .summary = "stops a trial that reports a value outside two bounds, or NaN",
    .settings = threshold_settings,
    .new = threshold_new,
    .judge = threshold_judge,
    .free = free,
};
