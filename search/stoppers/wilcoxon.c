/* wilcoxon.c - for trials that are measured on one instance after the other (folds, data sets,
 * seeds), a report each, the step naming the instance: stops a trial that is worse than the best
 * one on the instances that both have, by Wilcoxon's signed-rank test (Optuna's WilcoxonPruner).
 *
 *     stop when p < p_threshold, and the trial's mean report is worse than the best trial's
 *
 * not before n_startup_steps instances, 2 at least, are common to both. The best is the completed
 * trial with the smallest objective. A trial with a report that is not finite, or against a best
 * one with such a report, is left alone. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/math/signed_rank.h"
#include "search/stopper.h"

struct wilcoxon {
    double p_threshold;
    int n_startup_steps;
    int n_done, best; /* of history->done, seen; and the best of them, -1 = none */
};

static void *wilcoxon_new(const struct kd_task *task, const struct kd_settings *settings,
                          uint64_t seed, struct kd_error *err)
{
    (void)task, (void)seed, (void)err;
    struct wilcoxon *self = KD_NEW(struct wilcoxon);
    self->p_threshold = kd_settings_number(settings, "p_threshold");
    self->n_startup_steps = (int)kd_settings_number(settings, "n_startup_steps");
    if (self->n_startup_steps < 2)
        self->n_startup_steps = 2;
    self->best = -1;
    return self;
}

static const struct kd_observation *find_best(struct wilcoxon *self,
                                              const struct kd_history *history)
{
    if (history->n_done < self->n_done) {
        self->n_done = 0;
        self->best = -1;
    }
    for (; self->n_done < history->n_done; self->n_done++) {
        int number = history->done[self->n_done];
        const struct kd_observation *trial = &history->trials[number];
        bool counts = number >= history->n_prior && trial->outcome == KD_COMPLETE &&
                      isfinite(trial->objective) && trial->violation <= 0;
        if (counts && (self->best < 0 || trial->objective < history->trials[self->best].objective))
            self->best = number;
    }
    return self->best < 0 ? NULL : &history->trials[self->best];
}

/* NaN when a report is not finite or there is none. Divided first: a sum of 1e308s overflows. */
static double mean_report(const struct kd_observation *trial)
{
    double mean = trial->n_reports > 0 ? 0 : NAN;
    for (int i = 0; i < trial->n_reports; i++)
        mean += trial->reports[i].value / trial->n_reports;
    return isfinite(mean) ? mean : NAN;
}

/* Differences at the common steps, to be freed. */
static double *take_differences(const struct kd_observation *trial,
                                const struct kd_observation *best, int *n)
{
    double *differences = KD_NEW_ARRAY(double, (size_t)trial->n_reports + 1);
    *n = 0;
    for (int i = 0, j = 0; i < trial->n_reports && j < best->n_reports;) {
        int64_t step = trial->reports[i].step, other = best->reports[j].step;
        if (step == other)
            differences[(*n)++] = trial->reports[i].value - best->reports[j].value;
        i += step <= other;
        j += other <= step;
    }
    return differences;
}

static enum kd_verdict wilcoxon_judge(void *self_, const struct kd_history *history, int number,
                                      const struct kd_report *report)
{
    (void)report;
    struct wilcoxon *self = self_;
    const struct kd_observation *trial = &history->trials[number];
    const struct kd_observation *best = find_best(self, history);
    /* False for NaN. */
    if (!best || !(mean_report(trial) > mean_report(best)))
        return KD_GO;
    int n;
    double *differences = take_differences(trial, best, &n);
    bool is_worse =
        n >= self->n_startup_steps && kd_signed_rank_p(differences, n) < self->p_threshold;
    free(differences);
    return is_worse ? KD_STOP : KD_GO;
}

static const struct kd_setting wilcoxon_settings[] = {
    {"p_threshold", KD_SETTING_NUMBER, "0.1", 0, 1, NULL,
     "stops below this probability that the trial is no worse than the best"},
    {"n_startup_steps", KD_SETTING_INT, "2", 0, 1e9, NULL,
     "instances common with the best before the rule speaks"},
    {0},
};

const struct kd_stopper kd_stopper_wilcoxon = {
    .name = "wilcoxon",
    .summary =
        "stops a trial that is worse than the best one on the same instances, by a rank test",
    .settings = wilcoxon_settings,
    .new = wilcoxon_new,
    .judge = wilcoxon_judge,
    .free = free,
};
