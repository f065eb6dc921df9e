/* bits.c - prints a hash of the points that each strategy proposes, over spaces of all kinds;
 * test_bits.sh builds it with several compilers and wants the same lines. Everything here is exact
 * arithmetic, and needs no test library. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "search/strategy.h"

enum { N_PARAMS = 12, N_TRIALS = 48, N_RUNNING = 3 };

struct kind {
    enum kd_param_type type;
    enum kd_distribution distribution;
    double min, max, step;
    int n_choices;
};

static const struct kind mixed[N_PARAMS] = {
    {KD_PARAM_DOUBLE, KD_UNIFORM, -3, 5, 0, 0},
    {KD_PARAM_DOUBLE, KD_LOG_UNIFORM, 1e-5, 1e-1, 0, 0},
    {KD_PARAM_DOUBLE, KD_NORMAL, -1, 1, 0, 0},
    {KD_PARAM_DOUBLE, KD_LOG_NORMAL, 0.01, 100, 0, 0},
    {KD_PARAM_DOUBLE, KD_UNIFORM, 0, 1, 0.1, 0},
    {KD_PARAM_INT, KD_UNIFORM, 1, 8, 0, 0},
    {KD_PARAM_INT, KD_LOG_UNIFORM, 1, 1024, 0, 0},
    {KD_PARAM_INT, KD_NORMAL, 5, 64, 10, 0},
    {KD_PARAM_DISCRETE, KD_UNIFORM, 0, 0, 0, 4},
    {KD_PARAM_CATEGORICAL, KD_UNIFORM, 0, 0, 0, 3},
    {KD_PARAM_DOUBLE, KD_UNIFORM, 0, 1, 0, 0},
    {KD_PARAM_INT, KD_UNIFORM, 0, 3, 0, 0},
};

/* Which of them, by bit, and what is asked. */
static const struct problem {
    const char *name;
    unsigned params;
    bool is_conditional;
    int n_objectives, n_constraints;
} problems[] = {
    {"mixed", 0x3ff, false, 1, 0},       {"continuous", 0x40f, false, 1, 0},
    {"numbers", 0x4ff, false, 1, 0},     {"finite", 0xb20, false, 1, 0},
    {"conditional", 0xe2f, true, 1, 0},  {"objectives", 0x6a3, false, 2, 0},
    {"constraints", 0x2a3, false, 1, 2},
};

static void fill_param(struct kd_param *param, const struct kind *kind, int number)
{
    *param = (struct kd_param){.name = kd_format("p%d", number),
                               .type = kind->type,
                               .distribution = kind->distribution,
                               .min = kind->min,
                               .max = kind->max,
                               .step = kind->step,
                               .n_choices = kind->n_choices};
    if (kind->n_choices > 0)
        param->choices = KD_NEW_ARRAY(char *, (size_t)kind->n_choices);
    if (kind->type == KD_PARAM_DISCRETE)
        param->values = KD_NEW_ARRAY(double, (size_t)kind->n_choices);
    for (int i = 0; i < kind->n_choices; i++) {
        param->choices[i] = kd_format("%d", 8 << i);
        if (param->values)
            param->values[i] = 8 << i;
    }
    kd_param_check(param, NULL);
}

/* The first parameter is active while the last, which has three values at least, has its value 0;
 * the second for 0, 1. */
static void add_conditions(struct kd_space *space)
{
    for (int i = 0; i < 2; i++) {
        struct kd_condition *condition = KD_NEW(struct kd_condition);
        *condition = (struct kd_condition){.parent = space->n_params - 1, .n_values = i + 1};
        condition->values = KD_NEW_ARRAY(double, 2);
        condition->values[1] = 1;
        space->params[i].condition = condition;
    }
}

static void fill_space(struct kd_space *space, const struct problem *problem)
{
    *space = (struct kd_space){.params = KD_NEW_ARRAY(struct kd_param, N_PARAMS)};
    for (int i = 0; i < N_PARAMS; i++) {
        if (problem->params >> i & 1)
            fill_param(&space->params[space->n_params++], &mixed[i], i);
    }
    if (problem->is_conditional)
        add_conditions(space);
}

/* Distance from a place that differs for each objective. */
static double measure(const struct kd_space *space, const double *point, double place)
{
    double sum = 0;
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param *param = &space->params[i];
        double at = isnan(point[i]) ? 0.5 : (point[i] - param->min) / (param->max - param->min);
        sum += (at - place) * (at - place);
    }
    return sum;
}

static void finish(struct kd_history *history, int number)
{
    const double *point = history->trials[number].values;
    double objectives[2] = {measure(history->space, point, 0.3),
                            measure(history->space, point, 0.8)};
    double constraints[2] = {objectives[1] - 2, objectives[0] - 1.5};
    struct kd_measured measured = {objectives, constraints};
    kd_history_report(history, number, 1, objectives[0] + 1);
    kd_history_report(history, number, 3, objectives[0] + 0.25);
    kd_history_finish_measured(history, number, number % 9 == 8 ? KD_INFEASIBLE : KD_COMPLETE,
                               measured);
}

static uint64_t play(struct kd_sampler *sampler, struct kd_history *history)
{
    uint64_t hash = 0;
    double point[N_PARAMS];
    size_t bytes = (size_t)history->space->n_params * sizeof *point;
    while (history->n < N_TRIALS && kd_sampler_ask(sampler, history, 1, point) == 1) {
        kd_history_add(history, point);
        for (int i = 0; i < history->space->n_params; i++)
            point[i] =
                isnan(point[i]) ? -1e9 : point[i]; /* one NaN may differ from another in bits */
        hash = kd_hash2(hash, kd_hash_bytes(point, bytes));
        if (history->n > N_RUNNING)
            finish(history, history->n - 1 - N_RUNNING);
    }
    return hash;
}

static void run(const struct kd_strategy *strategy, const struct problem *problem)
{
    struct kd_space space;
    struct kd_history history;
    struct kd_settings settings;
    fill_space(&space, problem);
    kd_history_init(&history, &space);
    history.n_objectives = problem->n_objectives;
    history.n_constraints = problem->n_constraints;
    kd_settings_init(&settings, strategy->settings);
    struct kd_task task = {.space = &space,
                           .n_objectives = problem->n_objectives,
                           .n_constraints = problem->n_constraints};
    struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, 2026, NULL);
    if (sampler)
        printf("%s %s %016llx\n", strategy->name, problem->name,
               (unsigned long long)play(sampler, &history));
    kd_sampler_free(sampler);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    for (int i = 0; kd_strategies[i]; i++) {
        for (size_t j = 0; j < KD_COUNT(problems); j++)
            run(kd_strategies[i], &problems[j]);
    }
    return 0;
}
