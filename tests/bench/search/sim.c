#include "tests/bench/search/sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/axis.h"

const double sim_targets[SIM_TARGETS] = {0.01, 0.001};

double sim_default_limit(int n_workers)
{
    return 60 / sqrt(n_workers);
}

double sim_whole_s(const struct problem *problem)
{
    enum { POINTS = 400 };
    double *point = KD_NEW_ARRAY(double, (size_t)problem->space.n_params + 1), sum = 0;
    struct kd_axis *axes = kd_axes_new(&problem->space);
    struct kd_rng rng = kd_rng_at(0, POINTS);
    for (int i = 0; i < POINTS; i++) {
        for (int j = 0; j < problem->space.n_params; j++)
            point[j] = kd_axis_draw(&axes[j], &rng);
        sum += problem->n_steps * problem->step_s(problem, point);
    }
    free(axes);
    free(point);
    return sum / POINTS;
}

struct worker {
    int trial;      /* -1 = free */
    double next_at; /* when it reports */
};

struct sim {
    const struct problem *problem;
    const struct sim_plan *plan;
    struct kd_sampler *sampler;
    struct kd_scheduler *scheduler;
    struct kd_history history;
    struct worker *workers;
    double *point;
    double now, whole_s, best;
    bool is_exhausted, is_over;
    struct sim_result *result;
};

static int last_step(const struct kd_observation *trial)
{
    return trial->n_reports > 0 ? (int)trial->reports[trial->n_reports - 1].step : 0;
}

static void begin_step(struct sim *sim, struct worker *worker, int trial)
{
    const double *values = sim->history.trials[trial].values;
    worker->trial = trial;
    worker->next_at = sim->now + sim->problem->step_s(sim->problem, values) / sim->whole_s;
}

static void note(struct sim *sim, double value)
{
    if (!(value < sim->best))
        return;
    sim->best = value;
    sim->result->regret = problem_regret(sim->problem, value);
    for (int i = 0; i < SIM_TARGETS; i++) {
        if (sim->result->regret <= sim_targets[i] && isinf(sim->result->reached[i]))
            sim->result->reached[i] = sim->now;
    }
}

static void finish(struct sim *sim, int trial, bool is_whole)
{
    const struct kd_observation *observation = &sim->history.trials[trial];
    double best = INFINITY;
    for (int i = 0; i < observation->n_reports; i++)
        best = fmin(best, observation->reports[i].value);
    enum kd_outcome outcome = isinf(best) ? KD_INFEASIBLE : is_whole ? KD_COMPLETE : KD_PRUNED;
    kd_history_finish(&sim->history, trial, outcome, outcome == KD_INFEASIBLE ? NAN : best);
}

/* The worker's trial has made one more step. */
static void take_report(struct sim *sim, struct worker *worker)
{
    int number = worker->trial, step = last_step(&sim->history.trials[number]) + 1;
    const double *values = sim->history.trials[number].values;
    struct kd_report report = {step, sim->problem->report(sim->problem, values, step)};
    sim->now = worker->next_at;
    kd_history_report(&sim->history, number, step, report.value);
    note(sim, report.value);
    enum kd_verdict verdict = kd_scheduler_judge(sim->scheduler, &sim->history, number, &report);
    worker->trial = -1;
    if (step == sim->problem->n_steps)
        finish(sim, number, true);
    else if (verdict == KD_STOP || isinf(report.value))
        finish(sim, number, false);
    else if (verdict == KD_PAUSE)
        kd_history_pause(&sim->history, number);
    else
        begin_step(sim, worker, number);
}

static bool start_new(struct sim *sim, struct worker *worker, const struct kd_next *next)
{
    if (!next->has_point && kd_sampler_ask(sim->sampler, &sim->history, 1, sim->point) < 1) {
        sim->is_exhausted = true;
        return false;
    }
    int number = kd_history_add(&sim->history, sim->point);
    kd_history_schedule(&sim->history, number, next->until, next->parent);
    begin_step(sim, worker, number);
    return true;
}

/* False: there is nothing to do for a free worker now. */
static bool give_work(struct sim *sim, struct worker *worker)
{
    bool may_start = !sim->is_exhausted && sim->history.n < sim->plan->max_trials;
    struct kd_next next =
        kd_scheduler_next(sim->scheduler, &sim->history, may_start ? sim->point : NULL);
    switch (next.kind) {
    case KD_NEXT_NEW:
        return start_new(sim, worker, &next) || give_work(sim, worker);
    case KD_NEXT_RESUME:
        kd_history_resume(&sim->history, next.trial, next.until);
        begin_step(sim, worker, next.trial);
        return true;
    case KD_NEXT_WAIT:
        return false;
    case KD_NEXT_END:
        sim->is_over = true;
        return false;
    }
    return false;
}

static void fill_workers(struct sim *sim)
{
    for (int i = 0; i < sim->plan->n_workers && !sim->is_over; i++) {
        if (sim->workers[i].trial < 0 && !give_work(sim, &sim->workers[i]))
            return;
    }
}

/* The worker that reports next, the first of those at the same time; NULL when all are free. */
static struct worker *first_to_report(struct sim *sim)
{
    struct worker *first = NULL;
    for (int i = 0; i < sim->plan->n_workers; i++) {
        struct worker *worker = &sim->workers[i];
        if (worker->trial >= 0 && (!first || worker->next_at < first->next_at))
            first = worker;
    }
    return first;
}

static void run(struct sim *sim)
{
    for (;;) {
        fill_workers(sim);
        struct worker *worker = first_to_report(sim);
        bool all_reached = isfinite(sim->result->reached[SIM_TARGETS - 1]);
        if (!worker || worker->next_at > sim->plan->limit || all_reached)
            return;
        take_report(sim, worker);
    }
}

int sim_run(const struct sim_entrant *entrant, const struct problem *problem, int seed,
            const struct sim_plan *plan, struct sim_result *result, struct kd_error *err)
{
    struct kd_task task = {
        .space = &problem->space, .n_objectives = 1, .fidelity_max = problem->n_steps};
    struct sim sim = {.problem = problem, .plan = plan, .best = INFINITY, .result = result};
    *result = (struct sim_result){.reached = {INFINITY, INFINITY}, .regret = 1};
    sim.sampler =
        kd_sampler_new(entrant->strategy, &task, &entrant->strategy_settings, (uint64_t)seed, err);
    if (!sim.sampler)
        return -1;
    sim.scheduler =
        kd_scheduler_new(entrant->stopper, &task, &entrant->stopper_settings, (uint64_t)seed, err);
    if (!sim.scheduler) {
        kd_sampler_free(sim.sampler);
        return -1;
    }
    kd_history_init(&sim.history, &problem->space);
    sim.workers = KD_NEW_ARRAY(struct worker, (size_t)plan->n_workers);
    for (int i = 0; i < plan->n_workers; i++)
        sim.workers[i].trial = -1;
    sim.point = KD_NEW_ARRAY(double, (size_t)problem->space.n_params + 1);
    sim.whole_s = sim_whole_s(problem);
    run(&sim);
    result->n_trials = sim.history.n;
    free(sim.point);
    free(sim.workers);
    kd_history_release(&sim.history);
    kd_scheduler_free(sim.scheduler);
    kd_sampler_free(sim.sampler);
    return 0;
}
