#include "tests/bench/search/problem.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/axis.h"

enum { REFERENCE_POINTS = 400 };

/* The built-in kinds and those that were added, numbered through. */
static KD_ARR(const struct problem_kind *) added;

void problem_add_kind(const struct problem_kind *kind)
{
    kd_arr_push(&added, kind);
}

static const struct problem_kind *kind_at(size_t at)
{
    size_t n_built_in = 0;
    while (problem_kinds[n_built_in])
        n_built_in++;
    if (at < n_built_in)
        return problem_kinds[at];
    return at - n_built_in < added.n ? added.items[at - n_built_in] : NULL;
}

static char *name_of(const struct problem_kind *kind, int number)
{
    if (kind->name_at)
        return kd_format("%s/%s", kind->name, kind->name_at(kind, number));
    return kd_format("%s/%s%02d", kind->name, kind->prefix, number + 1);
}

static bool matches(const char *name, const char *patterns)
{
    char *copy = kd_strdup(patterns), *rest = copy, *pattern;
    bool found = false;
    while (!found && (pattern = strsep(&rest, ",")))
        found = fnmatch(pattern, name, 0) == 0;
    free(copy);
    return found;
}

void problem_find_names(const char *patterns, problem_names *names)
{
    const struct problem_kind *kind;
    for (size_t at = 0; (kind = kind_at(at)); at++) {
        for (int i = 0; i < kind->n; i++) {
            char *name = name_of(kind, i);
            if (matches(name, patterns))
                kd_arr_push(names, name);
            else
                free(name);
        }
    }
}

void problem_names_release(problem_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i]);
    kd_arr_release(names);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The points are the same for all instances of a problem. */
static double median_of_random_points(const struct problem *problem)
{
    const struct kd_space *space = &problem->space;
    double *values = KD_NEW_ARRAY(double, REFERENCE_POINTS);
    double *point = KD_NEW_ARRAY(double, (size_t)space->n_params + 1);
    struct kd_axis *axes = kd_axes_new(space);
    struct kd_rng rng = kd_rng_at(kd_hash_bytes(problem->name, strlen(problem->name)), 0);
    for (int i = 0; i < REFERENCE_POINTS; i++) {
        for (int j = 0; j < space->n_params; j++)
            point[j] = kd_axis_draw(&axes[j], &rng);
        kd_space_mask(space, point);
        values[i] = problem->evaluate(problem, point);
    }
    qsort(values, REFERENCE_POINTS, sizeof *values, ascending);
    double median = (values[REFERENCE_POINTS / 2 - 1] + values[REFERENCE_POINTS / 2]) / 2;
    free(axes);
    free(point);
    free(values);
    return median;
}

static struct problem *make(const struct problem_kind *kind, int number, int instance,
                            struct kd_error *err)
{
    struct problem *problem = KD_NEW(struct problem);
    *problem = (struct problem){
        .name = name_of(kind, number), .kind = kind, .instance = kind->is_fixed ? 0 : instance};
    if (kind->make(problem, kind, number, err) < 0 || kd_space_check(&problem->space, err) < 0) {
        problem_free(problem);
        return NULL;
    }
    problem->reference = median_of_random_points(problem);
    return problem;
}

struct problem *problem_new(const char *name, int instance, struct kd_error *err)
{
    const struct problem_kind *kind;
    for (size_t at = 0; (kind = kind_at(at)); at++) {
        for (int i = 0; i < kind->n; i++) {
            char *candidate = name_of(kind, i);
            bool found = strcmp(candidate, name) == 0;
            free(candidate);
            if (found)
                return make(kind, i, instance, err);
        }
    }
    kd_fail(err, "no problem is named \"%s\"; `katydid-bench search --list` shows them", name);
    return NULL;
}

void problem_free(struct problem *problem)
{
    if (!problem)
        return;
    if (problem->free_self)
        problem->free_self(problem->self);
    kd_space_release(&problem->space);
    free(problem->name);
    free(problem);
}

double problem_regret(const struct problem *problem, double value)
{
    return problem_regret_on(problem->optimum, problem->reference, value);
}

double problem_regret_on(double optimum, double reference, double value)
{
    double range = reference - optimum;
    double regret = range > 0 ? (value - optimum) / range : value > optimum;
    return regret < 0 ? 0 : regret < 1 ? regret : 1; /* NaN is 1 */
}

static struct kd_param *add_param(struct problem *problem, struct kd_param param)
{
    struct kd_space *space = &problem->space;
    struct kd_error err;
    space->params = kd_realloc_array(space->params, (size_t)space->n_params + 1, sizeof param);
    struct kd_param *added_param = &space->params[space->n_params++];
    *added_param = param;
    if (kd_param_check(added_param, &err) < 0)
        kd_bug("%s: %s: %s", problem->name, param.name, err.text);
    return added_param;
}

void problem_add_number(struct problem *problem, const char *name, enum kd_param_type type,
                        double min, double max, enum kd_distribution distribution)
{
    add_param(problem, (struct kd_param){.name = kd_strdup(name),
                                         .type = type,
                                         .min = min,
                                         .max = max,
                                         .distribution = distribution});
}

void problem_add_choices(struct problem *problem, const char *name, int n)
{
    char **choices = KD_NEW_ARRAY(char *, (size_t)n);
    for (int i = 0; i < n; i++)
        choices[i] = kd_format("c%d", i);
    add_param(problem, (struct kd_param){.name = kd_strdup(name),
                                         .type = KD_PARAM_CATEGORICAL,
                                         .n_choices = n,
                                         .choices = choices});
}

void problem_add_condition(struct problem *problem, int parent, int from, int to)
{
    struct kd_param *param = &problem->space.params[problem->space.n_params - 1];
    param->condition = KD_NEW(struct kd_condition);
    *param->condition =
        (struct kd_condition){.parent = parent,
                              .n_values = to - from + 1,
                              .values = KD_NEW_ARRAY(double, (size_t)(to - from + 1))};
    for (int i = from; i <= to; i++)
        param->condition->values[i - from] = i;
}
