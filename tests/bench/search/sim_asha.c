/* sim_asha.c - asha as published and nothing else: when a worker is free, the rungs are gone
 * through from the top; the best trial among the best 1/eta of a rung that was not promoted yet is
 * promoted; when there is none, a new trial starts in the lowest rung. Every rung is sorted anew at
 * every call: clear, not fast. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "tests/bench/search/sim.h"

enum { MOST_RUNGS = 40 };

struct asha {
    int64_t steps[MOST_RUNGS]; /* of the rungs; the last is the whole training */
    int n_rungs, eta;
};

static void *asha_new(const struct kd_task *task, const struct kd_settings *settings, uint64_t seed,
                      struct kd_error *err)
{
    (void)seed, (void)err;
    struct asha *self = KD_NEW(struct asha);
    self->eta = (int)kd_settings_number(settings, "reduction_factor");
    for (int64_t step = 1; step < task->fidelity_max; step *= self->eta)
        self->steps[self->n_rungs++] = step;
    self->steps[self->n_rungs++] = task->fidelity_max;
    return self;
}

static enum kd_verdict asha_judge(void *self, const struct kd_history *history, int number,
                                  const struct kd_report *report)
{
    (void)self;
    return kd_judge_until(history, number, report);
}

/* What a trial reported at a step; false when it has not been there. */
static bool value_at(const struct kd_observation *trial, int64_t step, double *value)
{
    int at = kd_observation_report_at(trial, step);
    if (at == trial->n_reports || trial->reports[at].step != step)
        return false;
    *value = isnan(trial->reports[at].value) ? INFINITY : trial->reports[at].value;
    return true;
}

struct entry {
    double value;
    int trial;
};

static int by_value(const void *a_, const void *b_)
{
    const struct entry *a = a_, *b = b_;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return a->trial - b->trial;
}

/* The best of the rung's best 1/eta that still stands there; -1 when there is none. */
static int find_promotable(const struct asha *self, const struct kd_history *history, int rung)
{
    struct entry *entries = KD_NEW_ARRAY(struct entry, (size_t)history->n + 1);
    int n = 0, found = -1;
    for (int i = 0; i < history->n; i++) {
        double value;
        if (value_at(&history->trials[i], self->steps[rung], &value))
            entries[n++] = (struct entry){value, i};
    }
    qsort(entries, (size_t)n, sizeof *entries, by_value);
    for (int i = 0; i < n / self->eta && found < 0; i++) {
        const struct kd_observation *trial = &history->trials[entries[i].trial];
        if (trial->is_paused && trial->until == self->steps[rung])
            found = entries[i].trial;
    }
    free(entries);
    return found;
}

static struct kd_next asha_next(void *self_, const struct kd_history *history, double *point)
{
    const struct asha *self = self_;
    for (int rung = self->n_rungs - 2; rung >= 0; rung--) {
        int trial = find_promotable(self, history, rung);
        if (trial >= 0)
            return (struct kd_next){.kind = KD_NEXT_RESUME,
                                    .trial = trial,
                                    .until = self->steps[rung + 1],
                                    .parent = -1};
    }
    struct kd_next next = kd_next_plain(history, point);
    if (next.kind == KD_NEXT_NEW)
        next.until = self->steps[0];
    return next;
}

static const struct kd_setting asha_settings[] = {
    {"reduction_factor", KD_SETTING_INT, "3", 2, 1000, NULL, "one in so many goes on at a rung"},
    {0},
};

const struct kd_stopper sim_asha_published = {
    .name = "asha-published",
    .summary = "asynchronous successive halving, algorithm 2 of the paper",
    .settings = asha_settings,
    .needs = KD_STOPPER_NEEDS_MAX,
    .can = KD_STOPPER_PAUSES,
    .new = asha_new,
    .judge = asha_judge,
    .next = asha_next,
    .free = free,
};
