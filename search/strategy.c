#include "search/strategy.h"

#include <math.h>
#include <string.h>

#include "coordinator/base/mem.h"

#define KD_STRATEGY_ALIAS(alias, id)
#define KD_STRATEGY_PLANNED(name, what)
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

int kd_strategy_fits(const struct kd_strategy *strategy, const struct kd_space *space,
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
    }
    return 0;
}
