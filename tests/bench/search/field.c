#include "tests/bench/search/field.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

static size_t strategy_at(struct field *field, const char *name)
{
    size_t at = 0;
    while (at < field->strategies.n && strcmp(field->strategies.items[at], name) != 0)
        at++;
    if (at == field->strategies.n)
        kd_arr_push(&field->strategies, name);
    return at;
}

static size_t task_at(struct field *field, const char *name)
{
    size_t at = 0;
    while (at < field->tasks.n && strcmp(field->tasks.items[at].name, name) != 0)
        at++;
    if (at == field->tasks.n)
        kd_arr_push(&field->tasks, (struct field_task){name, kd_strndup(name, strcspn(name, "/"))});
    return at;
}

static size_t cell(const struct field *field, size_t strategy, size_t task, size_t seed)
{
    return (strategy * field->tasks.n + task) * field->n_seeds + seed;
}

static int count(struct field *field, const struct results *results, struct kd_error *err)
{
    for (size_t i = 0; i < results->runs.n; i++) {
        const struct result *run = &results->runs.items[i];
        if (run->seed < 0)
            return kd_fail(err, "%s on %s: seed %d is negative", run->strategy, run->task,
                           run->seed);
        strategy_at(field, run->strategy);
        task_at(field, run->task);
        if ((size_t)run->seed >= field->n_seeds)
            field->n_seeds = (size_t)run->seed + 1;
    }
    return 0;
}

static int find_scale(struct field *field, size_t task, size_t seed, struct kd_error *err)
{
    struct field_scale *scale = &field->scales[task * field->n_seeds + seed];
    if (scale->reference > scale->optimum)
        return 0;
    struct problem *problem = problem_new(field->tasks.items[task].name, (int)seed, err);
    if (!problem)
        return -1;
    *scale = (struct field_scale){problem->optimum, problem->reference};
    problem_free(problem);
    return 0;
}

int field_init(struct field *field, const struct results *results, struct kd_error *err)
{
    *field = (struct field){0};
    if (count(field, results, err) < 0)
        return -1;
    size_t n_scales = field->tasks.n * field->n_seeds;
    field->scales = KD_NEW_ARRAY(struct field_scale, n_scales + 1);
    field->runs = KD_NEW_ARRAY(const struct result *, field->strategies.n *n_scales + 1);
    for (size_t i = 0; i < results->runs.n; i++) {
        const struct result *run = &results->runs.items[i];
        size_t task = task_at(field, run->task), seed = (size_t)run->seed;
        if (find_scale(field, task, seed, err) < 0)
            return -1;
        field->runs[cell(field, strategy_at(field, run->strategy), task, seed)] = run;
    }
    return 0;
}

void field_release(struct field *field)
{
    for (size_t i = 0; i < field->tasks.n; i++)
        free(field->tasks.items[i].kind);
    kd_arr_release(&field->tasks);
    kd_arr_release(&field->strategies);
    free(field->runs);
    free(field->scales);
}

const struct result *field_run(const struct field *field, size_t strategy, size_t task, size_t seed)
{
    return field->runs[cell(field, strategy, task, seed)];
}

double field_regret(const struct field *field, size_t strategy, size_t task, size_t seed, int n)
{
    const struct result *run = field_run(field, strategy, task, seed);
    if (!run || run->n < n)
        return NAN;
    const struct field_scale *scale = &field->scales[task * field->n_seeds + seed];
    double regret = problem_regret_on(scale->optimum, scale->reference, result_best(run, n));
    return fmax(FIELD_SOLVED, regret);
}
