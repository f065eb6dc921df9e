/* problem_tree.c - spaces with conditions: which branch is taken decides which parameters there
 * are, as with hyperopt's hp.choice (the kind of optuna/optuna#5299); and one with a long list of
 * choices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "tests/bench/search/bbob.h"
#include "tests/bench/search/kinds.h"

enum { MOST_BRANCHES = 8, BRANCH_DIM_MIN = 2, BRANCH_DIM_MAX = 4 };

/* One leaf of the tree: a BBOB function of parameters of its own, scaled so that a random point of
 * it is 1 above its best, which lies `above` the best of all. */
struct branch {
    struct bbob bbob;
    int first; /* parameter */
    double above, scale;
};

struct tree {
    int n_branches;
    bool
        is_nested; /* the last two branches share one value of `branch` and are told apart by `variant` */
    struct branch branches[MOST_BRANCHES];
};

enum { BRANCH, VARIANT }; /* parameters; VARIANT only when nested */

static void free_tree(void *self_)
{
    struct tree *self = self_;
    for (int i = 0; i < self->n_branches; i++)
        bbob_release(&self->branches[i].bbob);
    free(self);
}

static double to_domain(const struct kd_param *param, double value)
{
    bool is_log = param->distribution == KD_LOG_UNIFORM;
    double low = is_log ? log(param->min) : param->min,
           high = is_log ? log(param->max) : param->max;
    return 10 * ((is_log ? log(value) : value) - low) / (high - low) - 5;
}

static double evaluate_tree(const struct problem *problem, const double *point)
{
    const struct tree *self = problem->self;
    int taken = (int)point[BRANCH];
    if (self->is_nested && taken == self->n_branches - 2)
        taken += (int)point[VARIANT];
    const struct branch *branch = &self->branches[taken];
    double x[BRANCH_DIM_MAX];
    for (int i = 0; i < branch->bbob.dim; i++)
        x[i] = to_domain(&problem->space.params[branch->first + i], point[branch->first + i]);
    double value = bbob_evaluate(&branch->bbob, x) - branch->bbob.optimum;
    return branch->above + value / branch->scale;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double typical_value(const struct bbob *bbob, struct kd_rng *rng)
{
    enum { POINTS = 101 };
    double values[POINTS], x[BRANCH_DIM_MAX];
    for (int i = 0; i < POINTS; i++) {
        for (int j = 0; j < bbob->dim; j++)
            x[j] = 10 * kd_rng_uniform(rng) - 5;
        values[i] = bbob_evaluate(bbob, x) - bbob->optimum;
    }
    qsort(values, POINTS, sizeof *values, ascending);
    return values[POINTS / 2];
}

static void add_branch(struct problem *problem, struct branch *branch, int at, struct kd_rng *rng)
{
    const struct tree *self = problem->self;
    int dim = BRANCH_DIM_MIN + (int)kd_rng_below(rng, BRANCH_DIM_MAX - BRANCH_DIM_MIN + 1);
    int function = 1 + (int)kd_rng_below(rng, BBOB_FUNCTIONS);
    bool is_variant = self->is_nested && at >= self->n_branches - 2;
    bbob_init(&branch->bbob, function, dim, problem->instance);
    branch->first = problem->space.n_params;
    branch->scale = typical_value(&branch->bbob, rng);
    for (int i = 0; i < dim; i++) {
        char name[32];
        snprintf(name, sizeof name, "b%d_x%d", at, i + 1);
        if (i % 2 == 0)
            problem_add_number(problem, name, KD_PARAM_DOUBLE, 1e-5, 1e-1, KD_LOG_UNIFORM);
        else
            problem_add_number(problem, name, KD_PARAM_DOUBLE, -5, 5, KD_UNIFORM);
        if (is_variant)
            problem_add_condition(problem, VARIANT, at - self->n_branches + 2,
                                  at - self->n_branches + 2);
        else
            problem_add_condition(problem, BRANCH, at, at);
    }
}

int problem_make_tree(struct problem *problem, const struct problem_kind *kind, int number,
                      struct kd_error *err)
{
    (void)kind, (void)err;
    struct tree *self = KD_NEW(struct tree);
    struct kd_rng rng = kd_rng_at((uint64_t)number, (uint64_t)problem->instance);
    *self = (struct tree){.n_branches = 2 + number / 2 + number % 2, .is_nested = number % 2};
    problem->self = self;
    problem->free_self = free_tree;
    problem->evaluate = evaluate_tree;
    problem->optimum = 0;
    problem_add_choices(problem, "branch", self->n_branches - self->is_nested);
    if (self->is_nested) {
        problem_add_choices(problem, "variant", 2);
        problem_add_condition(problem, BRANCH, self->n_branches - 2, self->n_branches - 2);
    }
    int best = (int)kd_rng_below(&rng, (uint64_t)self->n_branches);
    for (int i = 0; i < self->n_branches; i++) {
        self->branches[i].above = i == best ? 0 : 0.02 + 0.3 * kd_rng_uniform(&rng);
        add_branch(problem, &self->branches[i], i, &rng);
    }
    return 0;
}

enum { CHOICES = 1000 };

struct choices {
    double worth[CHOICES];
    double at[2];
};

static double evaluate_choices(const struct problem *problem, const double *point)
{
    const struct choices *self = problem->self;
    double x = point[1] - self->at[0], y = point[2] - self->at[1];
    return self->worth[(int)point[0]] + (x * x + y * y) / 25;
}

/* Worths are the powers of a uniform number: the higher the problem's number, the rarer the good
 * ones. */
int problem_make_choices(struct problem *problem, const struct problem_kind *kind, int number,
                         struct kd_error *err)
{
    (void)kind, (void)err;
    struct choices *self = KD_NEW(struct choices);
    struct kd_rng rng = kd_rng_at((uint64_t)number, (uint64_t)problem->instance);
    double best = INFINITY;
    for (int i = 0; i < CHOICES; i++) {
        self->worth[i] = pow(kd_rng_uniform(&rng), 1.0 / (1 + number));
        best = fmin(best, self->worth[i]);
    }
    for (int i = 0; i < 2; i++)
        self->at[i] = 8 * kd_rng_uniform(&rng) - 4;
    problem->self = self;
    problem->free_self = free;
    problem->evaluate = evaluate_choices;
    problem->optimum = best;
    problem_add_choices(problem, "choice", CHOICES);
    problem_add_number(problem, "x1", KD_PARAM_DOUBLE, -5, 5, KD_UNIFORM);
    problem_add_number(problem, "x2", KD_PARAM_DOUBLE, -5, 5, KD_UNIFORM);
    return 0;
}
