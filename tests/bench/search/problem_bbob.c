/* problem_bbob.c - BBOB as it is, and with coordinates on levels. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "tests/bench/search/bbob.h"
#include "tests/bench/search/kinds.h"

enum { CONTINUOUS = 0, MOST_LEVELS = 16 };

static const int levels_in_turn[] = {2, 4, 8, 16, CONTINUOUS};

struct discretised {
    struct bbob bbob;
    double *x;                     /* scratch */
    double (*levels)[MOST_LEVELS]; /* the coordinate that each value of parameter i stands for */
};

static void free_discretised(void *self_)
{
    struct discretised *self = self_;
    bbob_release(&self->bbob);
    free(self->x);
    free(self->levels);
    free(self);
}

static int n_levels(const struct problem_kind *kind, int i)
{
    bool continuous = kind->make == problem_make_bbob;
    return continuous ? CONTINUOUS : levels_in_turn[(size_t)i % KD_COUNT(levels_in_turn)];
}

static double evaluate(const struct problem *problem, const double *point)
{
    const struct discretised *self = problem->self;
    for (int i = 0; i < self->bbob.dim; i++) {
        int n = n_levels(problem->kind, i);
        self->x[i] = n == CONTINUOUS ? point[i] : self->levels[i][(int)point[i]];
    }
    return bbob_evaluate(&self->bbob, self->x);
}

static struct discretised *start(struct problem *problem, const struct problem_kind *kind,
                                 int number)
{
    struct discretised *self = KD_NEW(struct discretised);
    bbob_init(&self->bbob, number + 1, kind->dim, problem->instance);
    self->x = KD_NEW_ARRAY(double, (size_t)kind->dim);
    problem->self = self;
    problem->free_self = free_discretised;
    problem->evaluate = evaluate;
    problem->optimum = self->bbob.optimum;
    return self;
}

/* The centres of n equal cells of [-5, 5], moved so that the optimum is one of them: that one is
 * nearest to it, so none leaves the domain. */
static void make_levels(double optimum, int n, double *levels)
{
    double width = 10.0 / n, cell = fmin(n - 1, fmax(0, floor((optimum + 5) / width)));
    double nearest = -5 + width * (cell + 0.5);
    for (int k = 0; k < n; k++)
        levels[k] = -5 + width * (k + 0.5) + (optimum - nearest);
}

static void shuffle(double *values, int n, struct kd_rng *rng)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)kd_rng_below(rng, (uint64_t)i + 1);
        double swapped = values[i];
        values[i] = values[j];
        values[j] = swapped;
    }
}

int problem_make_bbob(struct problem *problem, const struct problem_kind *kind, int number,
                      struct kd_error *err)
{
    (void)err;
    start(problem, kind, number);
    for (int i = 0; i < kind->dim; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i + 1);
        problem_add_number(problem, name, KD_PARAM_DOUBLE, -5, 5, KD_UNIFORM);
    }
    return 0;
}

int problem_make_mixed(struct problem *problem, const struct problem_kind *kind, int number,
                       struct kd_error *err)
{
    (void)err;
    struct discretised *self = start(problem, kind, number);
    struct kd_rng rng = kd_rng_at((uint64_t)number, (uint64_t)problem->instance);
    self->levels = kd_alloc_array((size_t)kind->dim, sizeof *self->levels);
    for (int i = 0; i < kind->dim; i++) {
        char name[16];
        int n = n_levels(kind, i);
        snprintf(name, sizeof name, "x%d", i + 1);
        if (n == CONTINUOUS) {
            problem_add_number(problem, name, KD_PARAM_DOUBLE, -5, 5, KD_UNIFORM);
            continue;
        }
        make_levels(self->bbob.at[i], n, self->levels[i]);
        if (kind->has_choices && n < MOST_LEVELS) {
            shuffle(self->levels[i], n, &rng);
            problem_add_choices(problem, name, n);
        } else {
            problem_add_number(problem, name, KD_PARAM_INT, 0, n - 1, KD_UNIFORM);
        }
    }
    return 0;
}
