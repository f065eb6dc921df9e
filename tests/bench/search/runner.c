#include "tests/bench/search/runner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"

static int set_pair(struct entrant *entrant, char *pair, struct kd_error *err)
{
    char *value = strchr(pair, '=');
    if (!value)
        return kd_fail(err, "\"%s\" is not key=value", pair);
    *value++ = '\0';
    return kd_settings_set(&entrant->settings, pair, value, err);
}

static const struct kd_strategy *find_strategy(const char *name, struct kd_error *err)
{
    const struct kd_strategy *strategy = kd_strategy_find(name);
    if (strategy)
        return strategy;
    struct kd_str known = {0};
    for (size_t i = 0; kd_strategies[i]; i++)
        kd_str_addf(&known, "%s%s", i > 0 ? ", " : "", kd_strategies[i]->name);
    kd_fail(err, "no strategy is named \"%s\"; there are %s", name, kd_str_text(&known));
    kd_str_release(&known);
    return NULL;
}

int entrant_init(struct entrant *entrant, const char *text, struct kd_error *err)
{
    char *copy = kd_strdup(text), *rest = copy, *name = strsep(&rest, ":"), *pair;
    int status = -1;
    *entrant = (struct entrant){.strategy = find_strategy(name, err)};
    if (!entrant->strategy)
        goto out;
    entrant->label = kd_strdup(text);
    kd_settings_init(&entrant->settings, entrant->strategy->settings);
    status = 0;
    while (status == 0 && (pair = strsep(&rest, "+")))
        status = set_pair(entrant, pair, err);
    if (status < 0) {
        kd_error_prefix(err, "%s", text);
        entrant_release(entrant);
    }
out:
    free(copy);
    return status;
}

void entrant_release(struct entrant *entrant)
{
    if (entrant->strategy)
        kd_settings_release(&entrant->settings);
    free(entrant->label);
    *entrant = (struct entrant){0};
}

static double now_s(void)
{
    return 1e-6 * (double)kd_clock_mono_us();
}

struct run {
    struct kd_sampler *sampler;
    struct kd_history history;
    const struct problem *problem;
    double *points;
    struct result *result;
};

/* Returns how many points there were. */
static int do_batch(struct run *run, int n)
{
    double start = now_s();
    int given = kd_sampler_ask(run->sampler, &run->history, n, run->points);
    run->result->ask_s += now_s() - start;
    int first = run->history.n, n_params = run->problem->space.n_params;
    for (int i = 0; i < given; i++)
        kd_history_add(&run->history, &run->points[i * n_params]);
    for (int i = 0; i < given; i++) {
        double value = run->problem->evaluate(run->problem, &run->points[i * n_params]);
        kd_history_finish(&run->history, first + i, KD_COMPLETE, value);
        result_tell(run->result, value);
    }
    return given;
}

/* A space that is used up leaves the rest of the trials without effect. */
static void do_trials(struct run *run, int n_trials, int batch)
{
    int done = 0, given = batch;
    while (done < n_trials && given > 0) {
        given = do_batch(run, batch < n_trials - done ? batch : n_trials - done);
        done += given;
    }
    run->result->n = n_trials;
}

/* False: the strategy does not fit. */
static bool run_one(const struct plan *plan, const struct entrant *entrant,
                    const struct problem *problem, int seed, struct result *result)
{
    struct kd_task task = {.space = &problem->space, .n_objectives = 1};
    struct kd_error err;
    struct run run = {.problem = problem, .result = result};
    run.sampler =
        kd_sampler_new(entrant->strategy, &task, &entrant->settings, (uint64_t)seed, &err);
    if (!run.sampler)
        return false;
    kd_history_init(&run.history, &problem->space);
    run.points = KD_NEW_ARRAY(double, (size_t)(plan->batch * problem->space.n_params) + 1);
    do_trials(&run, plan->n_trials, plan->batch);
    free(run.points);
    kd_history_release(&run.history);
    kd_sampler_free(run.sampler);
    return true;
}

/* What the threads share. A unit is one task with one seed, for all entrants. */
struct pool {
    const struct plan *plan;
    size_t *order; /* of the tasks, within a seed */
    pthread_mutex_t lock;
    size_t next, n_units;
    double end_s; /* 0 = no limit */
    bool was_cut, has_failed;
    struct kd_error *err; /* of the first that failed */
    struct result *done;  /* task x seed x entrant; strategy NULL = not run */
};

static bool take_unit(struct pool *pool, size_t *unit)
{
    pthread_mutex_lock(&pool->lock);
    bool is_late = pool->end_s > 0 && now_s() > pool->end_s;
    bool has_more = pool->next < pool->n_units && !pool->has_failed;
    pool->was_cut |= is_late && has_more;
    if (has_more && !is_late)
        *unit = pool->next++;
    pthread_mutex_unlock(&pool->lock);
    return has_more && !is_late;
}

static void fail(struct pool *pool, const struct kd_error *err)
{
    pthread_mutex_lock(&pool->lock);
    if (!pool->has_failed && pool->err)
        *pool->err = *err;
    pool->has_failed = true;
    pthread_mutex_unlock(&pool->lock);
}

static void do_unit(struct pool *pool, size_t unit)
{
    const struct plan *plan = pool->plan;
    size_t task = pool->order[unit % plan->tasks->n], round = unit / plan->tasks->n;
    const char *name = plan->tasks->items[task];
    struct kd_error err;
    struct problem *problem = problem_new(name, (int)round + 1, &err);
    if (!problem) {
        fail(pool, &err);
        return;
    }
    for (size_t i = 0; i < plan->n_entrants; i++) {
        size_t cell = task * (size_t)plan->n_seeds + round;
        struct result *result = &pool->done[cell * plan->n_entrants + i];
        if (run_one(plan, &plan->entrants[i], problem, (int)round + 1, result)) {
            result->strategy = kd_strdup(plan->entrants[i].label);
            result->task = kd_strdup(name);
            result->seed = (int)round + 1;
        }
    }
    problem_free(problem);
}

static void *work(void *pool)
{
    size_t unit;
    while (take_unit(pool, &unit))
        do_unit(pool, unit);
    return NULL;
}

static void run_threads(struct pool *pool, int n_jobs)
{
    pthread_t *threads = KD_NEW_ARRAY(pthread_t, (size_t)n_jobs);
    int n_started = 0;
    while (n_started < n_jobs - 1 && pthread_create(&threads[n_started], NULL, work, pool) == 0)
        n_started++;
    work(pool);
    for (int i = 0; i < n_started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

/* Shuffled, so that a limit leaves some of every kind. */
static size_t *new_order(size_t n)
{
    size_t *order = KD_NEW_ARRAY(size_t, n + 1);
    struct kd_rng rng = kd_rng_at(0, n);
    for (size_t i = 0; i < n; i++) {
        size_t j = kd_rng_below(&rng, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    return order;
}

int runner_run(const struct plan *plan, struct results *results, bool *was_cut,
               struct kd_error *err)
{
    size_t n_units = plan->tasks->n * (size_t)plan->n_seeds;
    struct pool pool = {.plan = plan, .n_units = n_units, .err = err};
    pool.end_s = plan->limit_s > 0 ? now_s() + plan->limit_s : 0;
    pool.done = KD_NEW_ARRAY(struct result, pool.n_units * plan->n_entrants + 1);
    pool.order = new_order(plan->tasks->n);
    pthread_mutex_init(&pool.lock, NULL);
    run_threads(&pool, plan->n_jobs);
    pthread_mutex_destroy(&pool.lock);
    for (size_t i = 0; i < pool.n_units * plan->n_entrants; i++) {
        if (pool.done[i].strategy)
            kd_arr_push(&results->runs, pool.done[i]);
    }
    free(pool.done);
    free(pool.order);
    *was_cut = pool.was_cut;
    return pool.has_failed ? -1 : 0;
}
