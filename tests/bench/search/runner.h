/* runner.h - strategies on problems. */
#ifndef KD_TESTS_BENCH_SEARCH_RUNNER_H
#define KD_TESTS_BENCH_SEARCH_RUNNER_H

#include "search/strategy.h"
#include "tests/bench/search/problem.h"
#include "tests/bench/search/results.h"

/* A strategy with its settings, as the user writes it: NAME or NAME:key=value+key=value. */
struct entrant {
    char *label; /* owned: the text */
    const struct kd_strategy *strategy;
    struct kd_settings settings;
};

int entrant_init(struct entrant *entrant, const char *text, struct kd_error *err);
void entrant_release(struct entrant *entrant);

struct plan {
    const struct entrant *entrants;
    size_t n_entrants;
    const problem_names *tasks;
    int n_seeds;         /* 1 .. n_seeds */
    int n_trials, batch; /* batch: points asked at once, then told in their order */
    int n_jobs;          /* threads */
    double limit_s;      /* no run starts later; 0 = no limit */
};

/* All entrants on all tasks with all seeds, seed by seed, so that a limit cuts seeds and tasks for
 * all entrants alike. A task that an entrant does not fit (conditions, categoricals) has no run of
 * it. was_cut: the limit did that. -1 and err: a problem could not be made. */
int runner_run(const struct plan *plan, struct results *results, bool *was_cut,
               struct kd_error *err);

#endif
