#include "search/strategy.h"

#include <math.h>
#include <string.h>

#include "coordinator/base/mem.h"

#define KD_STRATEGY_ALIAS(alias, id)
#define KD_STRATEGY_PLANNED(name, what)
#define KD_STRATEGY_PAIR(name, id, stopper, summary)
#define KD_STRATEGY(id) extern const struct kd_strategy kd_strategy_##id;
#include "search/strategies.def"
#undef KD_STRATEGY

const struct kd_strategy *const kd_strategies[] = {
#define KD_STRATEGY(id) &kd_strategy_##id,
#include "search/strategies.def"
#undef KD_STRATEGY
    NULL,
};
#undef KD_STRATEGY_ALIAS
#undef KD_STRATEGY_PLANNED

static const struct {
    const char *name;
    const struct kd_strategy *strategy;
} aliases[] = {
#define KD_STRATEGY(id)
#define KD_STRATEGY_PLANNED(name, what)
#define KD_STRATEGY_ALIAS(alias, id) {alias, &kd_strategy_##id},
#include "search/strategies.def"
#undef KD_STRATEGY_PLANNED
#undef KD_STRATEGY_ALIAS
};

static const struct {
    const char *name, *what;
} planned[] = {
#define KD_STRATEGY_ALIAS(alias, id)
#define KD_STRATEGY_PLANNED(name, what) {name, what},
#include "search/strategies.def"
#undef KD_STRATEGY
#undef KD_STRATEGY_PAIR
#undef KD_STRATEGY_PLANNED
#undef KD_STRATEGY_ALIAS
};

const struct kd_strategy *kd_strategy_find(const char *name)
{
    for (int i = 0; kd_strategies[i]; i++) {
        if (strcmp(kd_strategies[i]->name, name) == 0)
            return kd_strategies[i];
    }
    for (size_t i = 0; i < KD_COUNT(aliases); i++) {
        if (strcmp(aliases[i].name, name) == 0)
            return aliases[i].strategy;
    }
    return NULL;
}

const char *kd_strategy_planned(const char *name)
{
    for (size_t i = 0; i < KD_COUNT(planned); i++) {
        if (strcmp(planned[i].name, name) == 0)
            return planned[i].what;
    }
    return NULL;
}

static int check_params(const struct kd_strategy *strategy, const struct kd_space *space,
                        struct kd_error *err)
{
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param *param = &space->params[i];
        if ((strategy->needs & KD_NEEDS_NUMERIC) && param->type == KD_PARAM_CATEGORICAL)
            return kd_fail(err,
                           "parameter %s is categorical, and algorithm %s takes numbers only; "
                           "use tpe or random",
                           param->name, strategy->name);
        if ((strategy->needs & KD_NEEDS_FINITE) && isinf(kd_param_count(param)))
            return kd_fail(err,
                           "parameter %s has no step, and algorithm %s needs finitely many values; "
                           "give feasibleSpace.step",
                           param->name, strategy->name);
        if (!(strategy->can & KD_CAN_CONDITIONS) && param->condition)
            return kd_fail(err,
                           "parameter %s has a condition, which algorithm %s cannot serve; "
                           "use tpe or random",
                           param->name, strategy->name);
    }
    return 0;
}

int kd_strategy_fits(const struct kd_strategy *strategy, const struct kd_task *task,
                     struct kd_error *err)
{
    if (!(strategy->can & KD_CAN_OBJECTIVES) && task->n_objectives > 1)
        return kd_fail(err,
                       "there are %d objectives, and algorithm %s takes one; use tpe, nsga2 or "
                       "random",
                       task->n_objectives, strategy->name);
    if ((strategy->needs & KD_NEEDS_OBJECTIVES) && task->n_objectives < 2)
        return kd_fail(err, "algorithm %s needs several objectives, and there is one; use tpe",
                       strategy->name);
    if (!(strategy->can & KD_CAN_CONSTRAINTS) && task->n_constraints > 0)
        return kd_fail(err, "there are constraints, which algorithm %s cannot serve; use tpe",
                       strategy->name);
    return check_params(strategy, task->space, err);
}

int kd_ask_in_turn(int (*one)(void *self, const struct kd_history *, double *point), void *self,
                   const struct kd_history *history, int n, double *points)
{
    if (n == 1)
        return one(self, history, points);
    struct kd_history branch;
    kd_history_branch(&branch, history);
    int given = 0;
    while (given < n && one(self, &branch, points) > 0) {
        kd_history_add(&branch, points);
        points += history->space->n_params;
        given++;
    }
    kd_history_release_branch(&branch, history);
    return given;
}
