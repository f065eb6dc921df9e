/* tasks.c - the problems for programs in other languages: libkd_bench_tasks.so, used by peer.py
 * through ctypes, so that what they are compared on is the same function to the last bit. */
#include <stdlib.h>

#include "coordinator/base/json.h"
#include "tests/bench/search/problem.h"

void bench_add_tables(const char *folder);
void *bench_open(const char *name, int instance);
void bench_close(void *problem);
char *bench_names(const char *patterns);
char *bench_describe(void *problem);
double bench_evaluate(void *problem, const double *point);
double bench_report(void *problem, const double *point, int step);
double bench_step_s(void *problem, const double *point);
void bench_free(char *text);

/* More problems (table.h); before the first bench_open. */
void bench_add_tables(const char *folder)
{
    problem_add_tables(folder);
}

/* NULL when there is no such problem. */
void *bench_open(const char *name, int instance)
{
    return problem_new(name, instance, NULL);
}

void bench_close(void *problem)
{
    problem_free(problem);
}

/* One name per line; the caller gives it back with bench_free. */
char *bench_names(const char *patterns)
{
    problem_names names = {0};
    struct kd_str text = {0};
    problem_find_names(patterns, &names);
    for (size_t i = 0; i < names.n; i++)
        kd_str_addf(&text, "%s%s", i > 0 ? "\n" : "", names.items[i]);
    problem_names_release(&names);
    return kd_str_take(&text);
}

void bench_free(char *text)
{
    free(text);
}

static void add_condition(struct kd_json *json, const struct kd_condition *condition)
{
    kd_json_key(json, "condition");
    kd_json_open(json, '{');
    kd_json_add_int(json, "parent", condition->parent);
    kd_json_key(json, "values");
    kd_json_open(json, '[');
    for (int i = 0; i < condition->n_values; i++)
        kd_json_number(json, condition->values[i]);
    kd_json_close(json, ']');
    kd_json_close(json, '}');
}

static void add_param(struct kd_json *json, const struct kd_param *param)
{
    static const char *const types[] = {"double", "int", "discrete", "categorical"};
    kd_json_open(json, '{');
    kd_json_add_string(json, "name", param->name);
    kd_json_add_string(json, "type", types[param->type]);
    kd_json_add_number(json, "min", param->min);
    kd_json_add_number(json, "max", param->max);
    kd_json_add_bool(json, "log", param->distribution == KD_LOG_UNIFORM);
    kd_json_add_int(json, "choices", param->n_choices);
    if (param->condition)
        add_condition(json, param->condition);
    kd_json_close(json, '}');
}

/* JSON; the caller gives it back with bench_free. */
char *bench_describe(void *problem_)
{
    const struct problem *problem = problem_;
    struct kd_str text = {0};
    struct kd_json json = kd_json_to(&text);
    kd_json_open(&json, '{');
    kd_json_add_number(&json, "optimum", problem->optimum);
    kd_json_add_number(&json, "reference", problem->reference);
    kd_json_add_int(&json, "steps", problem->n_steps);
    kd_json_key(&json, "parameters");
    kd_json_open(&json, '[');
    for (int i = 0; i < problem->space.n_params; i++)
        add_param(&json, &problem->space.params[i]);
    kd_json_close(&json, ']');
    kd_json_close(&json, '}');
    return kd_str_take(&text);
}

double bench_evaluate(void *problem_, const double *point)
{
    const struct problem *problem = problem_;
    return problem->evaluate(problem, point);
}

/* For problems with steps. */
double bench_report(void *problem_, const double *point, int step)
{
    const struct problem *problem = problem_;
    return problem->report(problem, point, step);
}

double bench_step_s(void *problem_, const double *point)
{
    const struct problem *problem = problem_;
    return problem->step_s(problem, point);
}
