/* sim.h - a strategy with a stopper on learning curves, as it would run on W workers: a
 * discrete-event simulation with the costs of the curves, no time passing.
 *
 * A worker trains its trial step by step. At each report the stopper judges: the trial goes on, is
 * over, or pauses and frees its worker, at no cost. A free worker does what the stopper's `next`
 * says. Asking takes no time. Times are in whole trainings: the mean time of training a random
 * point to the end. */
#ifndef KD_TESTS_BENCH_SEARCH_SIM_H
#define KD_TESTS_BENCH_SEARCH_SIM_H

#include "search/stopper.h"
#include "search/strategy.h"
#include "tests/bench/search/problem.h"

/* What is simulated: a name of pair.h ("bohb"), or STRATEGY/STOPPER with STOPPER a name, "none", or
 * "asha-published"; settings behind a colon as key=value+key=value go to whichever of the two
 * declares them. */
struct sim_entrant {
    char *label; /* owned: the text */
    const struct kd_strategy *strategy;
    const struct kd_stopper *stopper; /* NULL = none */
    struct kd_settings strategy_settings, stopper_settings;
};

int sim_entrant_init(struct sim_entrant *entrant, const char *text, struct kd_error *err);
void sim_entrant_release(struct sim_entrant *entrant);

/* The targets that count: normalised regret of the best report so far. */
enum { SIM_TARGETS = 2 };
extern const double sim_targets[SIM_TARGETS]; /* 1% and 0.1% */

struct sim_plan {
    int n_workers;
    double limit;   /* in whole trainings of one worker's time */
    int max_trials; /* no new ones beyond */
};

struct sim_result {
    double reached[SIM_TARGETS]; /* when; INFINITY = not within the limit */
    double regret;               /* at the end */
    int n_trials;
};

/* -1 and err: strategy or stopper do not fit the problem. */
int sim_run(const struct sim_entrant *entrant, const struct problem *problem, int seed,
            const struct sim_plan *plan, struct sim_result *result, struct kd_error *err);

/* How long whole trainings go on for so many workers: 60 / sqrt(W). */
double sim_default_limit(int n_workers);

/* Seconds of a whole training, mean over 400 random points. */
double sim_whole_s(const struct problem *problem);

/* Asynchronous successive halving as published, algorithm 2 of Li et al., arXiv 1810.05934, MLSys
 * 2020: the reference that ours is held against. */
extern const struct kd_stopper sim_asha_published;

#endif
