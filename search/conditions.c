/* conditions.c - which parameters of a point are active, and how many different points that leaves.
 *
 * Conditions make a forest: a parameter hangs below its parent. The points of a finite space are
 * counted and numbered over that forest: a subtree has, summed over the values of its root, the
 * product of the subtrees that the value activates. Values that no condition names activate
 * nothing, so they are counted without being visited. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "search/space.h"

static bool has_value(const struct kd_condition *condition, double value)
{
    for (int i = 0; i < condition->n_values; i++) {
        if (condition->values[i] == value)
            return true;
    }
    return false;
}

bool kd_space_is_active(const struct kd_space *space, const double *values, int i)
{
    const struct kd_condition *condition = space->params[i].condition;
    if (!condition)
        return true;
    return has_value(condition, values[condition->parent]) &&
           kd_space_is_active(space, values, condition->parent);
}

void kd_space_mask(const struct kd_space *space, double *values)
{
    for (int i = 0; i < space->n_params; i++) {
        if (!kd_space_is_active(space, values, i))
            values[i] = NAN;
    }
}

bool kd_space_allows(const struct kd_space *space, const double *values)
{
    for (int i = 0; i < space->n_params; i++) {
        bool active = kd_space_is_active(space, values, i);
        if (active ? !kd_param_allows(&space->params[i], values[i]) : !isnan(values[i]))
            return false;
    }
    return true;
}

bool kd_space_is_conditional(const struct kd_space *space)
{
    for (int i = 0; i < space->n_params; i++) {
        if (space->params[i].condition)
            return true;
    }
    return false;
}

static int check_values(const struct kd_param *param, const struct kd_param *parent,
                        struct kd_error *err)
{
    char text[32];
    if (param->condition->n_values < 1)
        return kd_fail(err, "%s: condition.in: is empty; list the values of %s that activate it",
                       param->name, parent->name);
    for (int i = 0; i < param->condition->n_values; i++) {
        double value = param->condition->values[i];
        if (!kd_param_allows(parent, value))
            return kd_fail(err, "%s: condition.in: %s cannot be %s", param->name, parent->name,
                           kd_number_text(value, text));
    }
    return 0;
}

static int check_parents(const struct kd_space *space, int i, struct kd_error *err)
{
    int steps = 0;
    for (int at = i; space->params[at].condition; at = space->params[at].condition->parent) {
        if (++steps > space->n_params)
            return kd_fail(err,
                           "%s: condition.parameter: the conditions lead round in a circle; "
                           "a parameter cannot depend on itself",
                           space->params[i].name);
    }
    return 0;
}

int kd_space_check(const struct kd_space *space, struct kd_error *err)
{
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param *param = &space->params[i];
        if (!param->condition)
            continue;
        if (param->condition->parent < 0 || param->condition->parent >= space->n_params)
            return kd_fail(err, "%s: condition.parameter: there is no such parameter", param->name);
        const struct kd_param *parent = &space->params[param->condition->parent];
        if (isinf(kd_param_count(parent)))
            return kd_fail(err,
                           "%s: condition.parameter: %s is continuous; a condition needs a "
                           "parameter with finitely many values",
                           param->name, parent->name);
        if (check_values(param, parent, err) < 0 || check_parents(space, i, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- counting ---- */

static bool hangs_below(const struct kd_space *space, int child, int parent)
{
    const struct kd_condition *condition = space->params[child].condition;
    return condition && condition->parent == parent;
}

/* Sizes of subtrees, counted once each: a subtree may hang below many values of its parent. */
struct forest {
    const struct kd_space *space;
    double *sizes; /* owned; 0 = not counted yet */
};

static struct forest forest_new(const struct kd_space *space)
{
    return (struct forest){space, KD_NEW_ARRAY(double, (size_t)space->n_params + 1)};
}

static double subtree_size(struct forest *forest, int root);

/* Points of the subtrees that a value of a root activates. */
static double branch_size(struct forest *forest, int root, double value)
{
    const struct kd_space *space = forest->space;
    double size = 1;
    for (int i = 0; i < space->n_params; i++) {
        if (hangs_below(space, i, root) && has_value(space->params[i].condition, value))
            size *= subtree_size(forest, i);
    }
    return size;
}

/* The values of a root that some condition names: distinct, in the order of the root's values.
 * Owned by the caller. */
static double *named_values(const struct kd_space *space, int root, int *n)
{
    size_t most = 0;
    for (int i = 0; i < space->n_params; i++)
        most += hangs_below(space, i, root) ? (size_t)space->params[i].condition->n_values : 0;
    double *named = KD_NEW_ARRAY(double, most + 1);
    *n = 0;
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_condition *condition = space->params[i].condition;
        for (int k = 0; hangs_below(space, i, root) && k < condition->n_values; k++) {
            double value = condition->values[k];
            int at = 0;
            while (at < *n && named[at] < value)
                at++;
            if (at < *n && named[at] == value)
                continue;
            for (int j = (*n)++; j > at; j--)
                named[j] = named[j - 1];
            named[at] = value;
        }
    }
    return named;
}

static double subtree_size(struct forest *forest, int root)
{
    if (forest->sizes[root] > 0)
        return forest->sizes[root];
    int n_named;
    double *named = named_values(forest->space, root, &n_named);
    double size = kd_param_count(&forest->space->params[root]) - n_named;
    for (int i = 0; i < n_named; i++)
        size += branch_size(forest, root, named[i]);
    free(named);
    forest->sizes[root] = size;
    return size;
}

double kd_space_size(const struct kd_space *space)
{
    struct forest forest = forest_new(space);
    double size = 1;
    for (int i = 0; i < space->n_params; i++) {
        if (!space->params[i].condition)
            size *= subtree_size(&forest, i);
    }
    free(forest.sizes);
    return size;
}

/* ---- numbering ---- */

static void place_below(struct forest *forest, int root, uint64_t at, double *values);

/* The at-th point of a subtree: the root's value, then what hangs below it. */
static void place_subtree(struct forest *forest, int root, uint64_t at, double *values)
{
    const struct kd_space *space = forest->space;
    const struct kd_param *param = &space->params[root];
    int n_named;
    double *named = named_values(space, root, &n_named);
    uint64_t k = 0, rest = at; /* the root's k-th value, and the position within it */
    for (int i = 0; i <= n_named; i++) {
        double count = kd_param_count(param);
        uint64_t next =
            (uint64_t)(i < n_named ? (double)kd_param_position(param, named[i]) : count);
        if (rest < next - k) { /* one that is not named */
            k += rest;
            rest = 0;
            break;
        }
        rest -= next - k;
        k = next;
        uint64_t size = (uint64_t)branch_size(forest, root, named[i]);
        if (rest < size)
            break;
        rest -= size;
        k++;
    }
    free(named);
    values[root] = kd_param_nth(param, (int64_t)k);
    place_below(forest, root, rest, values);
}

/* Mixed radix over the subtrees that are active below the root (-1: the parameters without a
 * condition). */
static void place_below(struct forest *forest, int root, uint64_t at, double *values)
{
    const struct kd_space *space = forest->space;
    for (int i = space->n_params - 1; i >= 0; i--) {
        bool is_part = root < 0 ? !space->params[i].condition
                                : hangs_below(space, i, root) &&
                                      has_value(space->params[i].condition, values[root]);
        if (!is_part)
            continue;
        uint64_t size = (uint64_t)subtree_size(forest, i);
        place_subtree(forest, i, at % size, values);
        at /= size;
    }
}

void kd_space_nth(const struct kd_space *space, uint64_t at, double *values)
{
    for (int i = 0; i < space->n_params; i++)
        values[i] = NAN;
    struct forest forest = forest_new(space);
    place_below(&forest, -1, at, values);
    free(forest.sizes);
}
