/* cmaes.h - what other strategies need of cmaes, beside the strategy itself (strategies.def). */
#ifndef KD_SEARCH_CMAES_H
#define KD_SEARCH_CMAES_H

#include "search/strategy.h"

/* The strategy `cmaes` from trial number `first` on: finished trials with smaller numbers, whoever
 * proposed them, are what it is warm-started from. Ask it only when history->n >= first. settings:
 * of cmaes, or NULL for its defaults. To be used with kd_strategy_cmaes.ask and .free. */
void *kd_cmaes_new_from(const struct kd_task *, const struct kd_settings *settings, uint64_t seed,
                        int first, struct kd_error *);

#endif
