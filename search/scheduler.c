/* scheduler.c - a stopper at work. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/stopper.h"

struct kd_scheduler {
    const struct kd_stopper *stopper; /* NULL = none */
    void *self;
};

struct kd_scheduler *kd_scheduler_new(const struct kd_stopper *stopper, const struct kd_task *task,
                                      const struct kd_settings *settings, uint64_t seed,
                                      struct kd_error *err)
{
    void *self = NULL;
    if (stopper) {
        if (kd_stopper_fits(stopper, task, err) < 0)
            return NULL;
        self = stopper->new (task, settings, kd_settings_seed(settings, seed), err);
        if (!self)
            return NULL;
    }
    struct kd_scheduler *scheduler = KD_NEW(struct kd_scheduler);
    *scheduler = (struct kd_scheduler){.stopper = stopper, .self = self};
    return scheduler;
}

enum kd_verdict kd_scheduler_judge(struct kd_scheduler *scheduler, const struct kd_history *history,
                                   int number, const struct kd_report *report)
{
    if (!scheduler->stopper)
        return KD_GO;
    return scheduler->stopper->judge(scheduler->self, history, number, report);
}

enum kd_verdict kd_judge_until(const struct kd_history *history, int number,
                               const struct kd_report *report)
{
    int64_t until = history->trials[number].until;
    if (until == 0 || report->step < until)
        return KD_GO;
    return isfinite(report->value) ? KD_PAUSE : KD_STOP;
}

struct kd_next kd_next_plain(const struct kd_history *history, const double *point)
{
    enum kd_next_kind kind = point                          ? KD_NEXT_NEW
                             : history->n > history->n_done ? KD_NEXT_WAIT
                                                            : KD_NEXT_END;
    return (struct kd_next){.kind = kind, .trial = -1, .parent = -1};
}

struct kd_next kd_scheduler_next(struct kd_scheduler *scheduler, const struct kd_history *history,
                                 double *point)
{
    if (!scheduler->stopper || !scheduler->stopper->next)
        return kd_next_plain(history, point);
    return scheduler->stopper->next(scheduler->self, history, point);
}

void kd_scheduler_free(struct kd_scheduler *scheduler)
{
    if (!scheduler)
        return;
    if (scheduler->stopper)
        scheduler->stopper->free(scheduler->self);
    free(scheduler);
}
