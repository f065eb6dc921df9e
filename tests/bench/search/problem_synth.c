/* problem_synth.c - learning curves with a formula: power laws towards a BBOB value, some fast and
 * some slow, so that they cross, with noise that fades, and steps of unequal cost. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "tests/bench/search/bbob.h"
#include "tests/bench/search/kinds.h"

enum { STEPS = 81, DIM = 4 };

struct synth {
    struct bbob bbob;
    double scale; /* what the function is above its optimum, typically */
};

static void free_synth(void *self_)
{
    struct synth *self = self_;
    bbob_release(&self->bbob);
    free(self);
}

/* Where training ends: 0 at the optimum, below 1 everywhere. */
static double final_value(const struct problem *problem, const double *point)
{
    const struct synth *self = problem->self;
    double above = (bbob_evaluate(&self->bbob, point) - self->bbob.optimum) / self->scale;
    return above <= 0 ? 0 : above / (1 + above);
}

/* 1 before the first step, 0 after the last. x1 decides how fast: what is best in the end need not
 * lead. Ranks after the first step and at the end correlate with 0.64 to 0.94; with the curves of
 * the built-in trainer it is 0.8. */
static double left_to_learn(const double *point, int step)
{
    double speed = 0.4 + 0.2 * (point[0] + 5);
    return (pow((STEPS + 1.0) / (step + 1.0), speed) - 1) / (pow(STEPS + 1.0, speed) - 1);
}

static double noise(const struct problem *problem, const double *point, int step)
{
    uint64_t key = kd_point_hash(&problem->space, point);
    struct kd_rng rng = kd_rng_at(key, (uint64_t)step);
    double sum = 0;
    for (int i = 0; i < 4; i++)
        sum += kd_rng_uniform(&rng) - 0.5;
    return 0.02 * sum * (1 - (double)step / STEPS);
}

static double report(const struct problem *problem, const double *point, int step)
{
    double end = final_value(problem, point), left = (1 - end) * left_to_learn(point, step);
    return end + fmax(0, left + noise(problem, point, step));
}

static double evaluate(const struct problem *problem, const double *point)
{
    return final_value(problem, point);
}

/* 1 to 10 seconds, by x2. */
static double step_s(const struct problem *problem, const double *point)
{
    (void)problem;
    return pow(10, (point[1] + 5) / 10);
}

static double typical_value(const struct bbob *bbob)
{
    enum { POINTS = 200 };
    double sum = 0, x[DIM];
    struct kd_rng rng = kd_rng_at(1, 1);
    for (int i = 0; i < POINTS; i++) {
        for (int j = 0; j < DIM; j++)
            x[j] = 10 * kd_rng_uniform(&rng) - 5;
        sum += log(bbob_evaluate(bbob, x) - bbob->optimum);
    }
    return exp(sum / POINTS);
}

int problem_make_synth(struct problem *problem, const struct problem_kind *kind, int number,
                       struct kd_error *err)
{
    static const int functions[] = {1, 3, 6, 8, 14, 15, 17, 21};
    (void)kind, (void)err;
    struct synth *self = KD_NEW(struct synth);
    bbob_init(&self->bbob, functions[number], DIM, problem->instance);
    self->scale = typical_value(&self->bbob);
    problem->self = self;
    problem->free_self = free_synth;
    problem->evaluate = evaluate;
    problem->optimum = 0;
    problem->n_steps = STEPS;
    problem->report = report;
    problem->step_s = step_s;
    for (int i = 0; i < DIM; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i + 1);
        problem_add_number(problem, name, KD_PARAM_DOUBLE, -5, 5, KD_UNIFORM);
    }
    return 0;
}
