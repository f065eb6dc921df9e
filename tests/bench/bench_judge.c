/* bench_judge.c - what a judgement costs: 10,000 trials, 64 at a time, 27 reports each unless they
 * are stopped; time of a stopper's judge and next in the last tenth of the run, median and mean, in
 * microseconds.
 *
 *     bench_judge [STOPPER [N_TRIALS]]         default: each, 10000 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "search/stopper.h"

enum { SLOTS = 64, STEPS = 27 };

struct times {
    double *all;
    int n, capacity;
};

struct run {
    struct kd_space space;
    struct kd_history history;
    struct kd_scheduler *scheduler;
    int running[SLOTS], n_trials;
    struct times judge, next;
};

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

static void note(struct times *times, double us)
{
    if (times->n == times->capacity) {
        times->capacity = times->capacity > 0 ? 2 * times->capacity : 1024;
        times->all = kd_realloc_array(times->all, (size_t)times->capacity, sizeof *times->all);
    }
    times->all[times->n++] = us;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *name, const char *what, struct times *times)
{
    double sum = 0;
    for (int i = 0; i < times->n; i++)
        sum += times->all[i];
    qsort(times->all, (size_t)times->n, sizeof *times->all, ascending);
    if (times->n > 0)
        printf("%-12s %-6s median %7.2f us  mean %7.2f us  99%% %8.2f us\n", name, what,
               times->all[times->n / 2], sum / times->n, times->all[(int)(0.99 * (times->n - 1))]);
    free(times->all);
}

static bool is_late(const struct run *run)
{
    return run->history.n > run->n_trials - run->n_trials / 10;
}

static bool fill_slot(struct run *run, int slot)
{
    double point[1];
    bool can_start = run->history.n < run->n_trials;
    double start = now_us();
    struct kd_next next =
        kd_scheduler_next(run->scheduler, &run->history, can_start ? point : NULL);
    if (is_late(run))
        note(&run->next, now_us() - start);
    if (next.kind == KD_NEXT_RESUME) {
        kd_history_resume(&run->history, next.trial, next.until);
        run->running[slot] = next.trial;
    } else if (next.kind == KD_NEXT_NEW) {
        struct kd_rng rng = kd_rng_at(1, (uint64_t)run->history.n);
        point[0] = next.has_point ? point[0] : kd_rng_uniform(&rng);
        run->running[slot] = kd_history_add(&run->history, point);
        kd_history_schedule(&run->history, run->running[slot], next.until, next.parent);
    }
    return next.kind != KD_NEXT_END;
}

static int64_t next_step(const struct kd_history *history, const struct kd_observation *trial)
{
    if (trial->n_reports > 0)
        return trial->reports[trial->n_reports - 1].step + 1;
    if (trial->parent < 0)
        return 1;
    const struct kd_observation *parent = &history->trials[trial->parent];
    return parent->reports[parent->n_reports - 1].step + 1;
}

static void report(struct run *run, int slot)
{
    int number = run->running[slot];
    const struct kd_observation *trial = &run->history.trials[number];
    int64_t step = next_step(&run->history, trial);
    struct kd_rng rng = kd_rng_at(2, (uint64_t)number * 64 + (uint64_t)step);
    struct kd_report report = {step,
                               trial->values[0] + 1.0 / (double)step + 0.1 * kd_rng_uniform(&rng)};
    kd_history_report(&run->history, number, step, report.value);
    double start = now_us();
    enum kd_verdict verdict = kd_scheduler_judge(run->scheduler, &run->history, number, &report);
    if (is_late(run))
        note(&run->judge, now_us() - start);
    if (verdict == KD_GO && step < STEPS)
        return;
    run->running[slot] = -1;
    if (verdict == KD_PAUSE && step < STEPS)
        kd_history_pause(&run->history, number);
    else
        kd_history_finish(&run->history, number, verdict == KD_STOP ? KD_PRUNED : KD_COMPLETE,
                          report.value);
}

static void run_all(struct run *run)
{
    bool goes_on = true;
    for (int slot = 0; slot < SLOTS; slot++)
        run->running[slot] = -1;
    while (goes_on && run->history.n < run->n_trials) {
        for (int slot = 0; slot < SLOTS && goes_on; slot++)
            goes_on = run->running[slot] >= 0 || fill_slot(run, slot);
        for (int slot = 0; slot < SLOTS; slot++) {
            if (run->running[slot] >= 0)
                report(run, slot);
        }
    }
}

/* Settings without which there is nothing to measure. */
static const struct {
    const char *stopper, *name, *value;
} extra[] = {
    {"threshold", "upper", "1.5"}, {"pbt", "n_population", "1650"}, {"pbt", "interval", "1"}};

static int bench(const struct kd_stopper *stopper, int n_trials)
{
    struct run run = {.n_trials = n_trials};
    struct kd_param x = {.name = kd_strdup("x"), .type = KD_PARAM_DOUBLE, .max = 1};
    struct kd_settings settings;
    struct kd_error err = {0};
    run.space.n_params = 1;
    run.space.params = KD_NEW(struct kd_param);
    run.space.params[0] = x;
    kd_history_init(&run.history, &run.space);
    kd_settings_init(&settings, stopper->settings);
    for (size_t i = 0; i < KD_COUNT(extra); i++) {
        if (strcmp(extra[i].stopper, stopper->name) == 0)
            kd_settings_set(&settings, extra[i].name, extra[i].value, &err);
    }
    struct kd_task task = {.space = &run.space, .n_objectives = 1, .fidelity_max = STEPS};
    run.scheduler = kd_scheduler_new(stopper, &task, &settings, 1, &err);
    if (run.scheduler)
        run_all(&run);
    else
        fprintf(stderr, "%s: %s\n", stopper->name, err.text);
    print_times(stopper->name, "judge", &run.judge);
    if (stopper->next)
        print_times(stopper->name, "next", &run.next);
    int status = run.scheduler ? 0 : 1;
    kd_scheduler_free(run.scheduler);
    kd_settings_release(&settings);
    kd_history_release(&run.history);
    kd_space_release(&run.space);
    return status;
}

int main(int argc, char **argv)
{
    const struct kd_stopper *only = argc > 1 ? kd_stopper_find(argv[1]) : NULL;
    int n_trials = argc > 2 ? atoi(argv[2]) : 10000, status = 0;
    if ((argc > 1 && !only) || n_trials < 100) {
        fprintf(stderr, "usage: bench_judge [STOPPER [N_TRIALS]]\n");
        return 2;
    }
    for (int i = 0; kd_stoppers[i]; i++) {
        if (!only || kd_stoppers[i] == only)
            status |= bench(kd_stoppers[i], n_trials);
    }
    return status;
}
