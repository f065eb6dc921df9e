/* scheduling.h - schedulers for the tests of stoppers, and trials that are simulated until there is
 * nothing to do. */
#ifndef KD_TESTS_SEARCH_SCHEDULING_H
#define KD_TESTS_SEARCH_SCHEDULING_H

#include "tests/search/helper.h"

#include "coordinator/base/rng.h"
#include "search/stopper.h"

/* settings: NAME, VALUE ... NULL, or NULL. NULL and err as kd_scheduler_new, or when a setting is
 * refused. */
static inline struct kd_scheduler *try_scheduler(const char *name, const struct kd_task *task,
                                                 const char *const *settings, struct kd_error *err)
{
    const struct kd_stopper *stopper = kd_stopper_find(name);
    struct kd_settings read;
    int rc = 0;
    kd_settings_init(&read, stopper->settings);
    for (int i = 0; settings && settings[i] && rc == 0; i += 2)
        rc = kd_settings_set(&read, settings[i], settings[i + 1], err);
    struct kd_scheduler *scheduler =
        rc == 0 ? kd_scheduler_new(stopper, task, &read, 7, err) : NULL;
    kd_settings_release(&read);
    return scheduler;
}

static inline struct kd_scheduler *new_scheduler(const char *name, const struct kd_task *task,
                                                 const char *const *settings)
{
    struct kd_error err;
    struct kd_scheduler *scheduler = try_scheduler(name, task, settings, &err);
    if (!scheduler)
        fail_msg("%s: %s", name, err.text);
    return scheduler;
}

/* Trials on n_slots workers that report each step of one time unit; new trials while there are
 * fewer than most_trials. */
struct simulation {
    const struct kd_task *task;
    struct kd_scheduler *scheduler;
    struct kd_history history;
    int n_slots, most_trials;
    int running[64];                  /* trial of each slot, -1 = free */
    int64_t steps;                    /* trained in all */
    int64_t *positions, *checkpoints; /* of each trial: steps trained, and when it paused last */
    /* The report of a trial at a step; of a clone too. */
    double (*report)(const struct kd_history *, int number, int64_t step);
};

static inline int64_t last_step(const struct kd_observation *trial)
{
    return trial->n_reports > 0 ? trial->reports[trial->n_reports - 1].step : 0;
}

/* A random point for new trials. */
static inline int start_trial(struct simulation *sim, const struct kd_next *next, double *point)
{
    struct kd_rng rng = kd_rng_at(5, (uint64_t)sim->history.n);
    for (int i = 0; i < sim->task->space->n_params && !next->has_point; i++)
        point[i] = kd_param_clip(&sim->task->space->params[i], kd_rng_uniform(&rng));
    int number = kd_history_add(&sim->history, point);
    kd_history_schedule(&sim->history, number, next->until, next->parent);
    if (next->parent >= 0) {
        int64_t start = sim->checkpoints[next->parent];
        assert_true(next->until == 0 || next->until > start);
        sim->positions[number] = sim->checkpoints[number] = start;
    }
    return number;
}

/* false at END. */
static inline bool fill_slot(struct simulation *sim, int slot)
{
    double point[16];
    struct kd_next next = kd_scheduler_next(sim->scheduler, &sim->history,
                                            sim->history.n < sim->most_trials ? point : NULL);
    switch (next.kind) {
    case KD_NEXT_NEW:
        assert_true(sim->history.n < sim->most_trials);
        sim->running[slot] = start_trial(sim, &next, point);
        return true;
    case KD_NEXT_RESUME:
        assert_true(sim->history.trials[next.trial].is_paused);
        assert_true(next.until == 0 || next.until > last_step(&sim->history.trials[next.trial]));
        kd_history_resume(&sim->history, next.trial, next.until);
        sim->running[slot] = next.trial;
        return true;
    case KD_NEXT_WAIT:
        return true;
    case KD_NEXT_END:
        return false;
    }
    return false;
}

static inline void step_trial(struct simulation *sim, int slot)
{
    int number = sim->running[slot];
    int64_t step = ++sim->positions[number];
    double value = sim->report(&sim->history, number, step);
    sim->steps++;
    kd_history_report(&sim->history, number, step, value);
    struct kd_report report = {step, value};
    enum kd_verdict verdict = kd_scheduler_judge(sim->scheduler, &sim->history, number, &report);
    if (verdict == KD_GO && step < sim->task->fidelity_max)
        return;
    sim->running[slot] = -1;
    if (verdict == KD_PAUSE) {
        sim->checkpoints[number] = step;
        kd_history_pause(&sim->history, number);
    } else {
        kd_history_finish(&sim->history, number,
                          verdict == KD_STOP ? KD_PRUNED
                          : isfinite(value)  ? KD_COMPLETE
                                             : KD_INFEASIBLE,
                          value);
    }
}

/* To the END. */
static inline void simulate(struct simulation *sim)
{
    sim->positions = KD_NEW_ARRAY(int64_t, (size_t)sim->most_trials + 1);
    sim->checkpoints = KD_NEW_ARRAY(int64_t, (size_t)sim->most_trials + 1);
    bool goes_on = true;
    kd_history_init(&sim->history, sim->task->space);
    for (int slot = 0; slot < sim->n_slots; slot++)
        sim->running[slot] = -1;
    while (goes_on) {
        int n_busy = 0;
        for (int slot = 0; slot < sim->n_slots && goes_on; slot++)
            goes_on = sim->running[slot] >= 0 || fill_slot(sim, slot);
        for (int slot = 0; slot < sim->n_slots; slot++)
            n_busy += sim->running[slot] >= 0;
        if (goes_on && n_busy == 0)
            fail_msg("WAIT while nothing runs");
        for (int slot = 0; slot < sim->n_slots; slot++) {
            if (sim->running[slot] >= 0)
                step_trial(sim, slot);
        }
        goes_on = goes_on || n_busy > 0;
    }
    free(sim->positions);
    free(sim->checkpoints);
}

#endif
