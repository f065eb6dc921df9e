#include "search/pair.h"

#include <string.h>

#define KD_STRATEGY(id)
#define KD_STRATEGY_ALIAS(name, id)
#define KD_STRATEGY_PLANNED(name, what)
#define KD_STRATEGY_PAIR(name, strategy, stopper, summary)                                         \
    extern const struct kd_strategy kd_strategy_##strategy;                                        \
    extern const struct kd_stopper kd_stopper_##stopper;
#include "search/strategies.def"
#undef KD_STRATEGY_PAIR

const struct kd_pair kd_pairs[] = {
#define KD_STRATEGY_PAIR(name, strategy, stopper, summary)                                         \
    {name, summary, &kd_strategy_##strategy, &kd_stopper_##stopper},
#include "search/strategies.def"
    {0},
};

const struct kd_pair *kd_pair_find(const char *name)
{
    for (int i = 0; kd_pairs[i].name; i++) {
        if (strcmp(kd_pairs[i].name, name) == 0)
            return &kd_pairs[i];
    }
    return NULL;
}
