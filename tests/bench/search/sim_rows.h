/* sim_rows.h - what came out of simulations, as rows and as a table. As CSV, with this first line
 * ("inf": not reached):
 *
 *     strategy,workers,task,seed,to_1pct,to_01pct,regret,trials */
#ifndef KD_TESTS_BENCH_SEARCH_SIM_ROWS_H
#define KD_TESTS_BENCH_SEARCH_SIM_ROWS_H

#include <stdio.h>

#include "tests/bench/search/sim.h"

struct sim_row {
    char *strategy, *task; /* owned */
    int n_workers, seed;
    struct sim_result result;
};

struct sim_rows {
    KD_ARR(struct sim_row) all;
};

void sim_rows_release(struct sim_rows *rows);
void sim_rows_add(struct sim_rows *rows, const char *strategy, int n_workers, const char *task,
                  int seed, const struct sim_result *result);
int sim_rows_read(struct sim_rows *rows, const char *path, struct kd_error *err);
int sim_rows_write(const struct sim_rows *rows, const char *path, struct kd_error *err);

/* For every kind of problem and number of workers: of how many runs the target was reached, the
 * geometric mean of the time to it (the limit, where it was not), and how many times as long that
 * is as the first strategy's on the same (task, seed), with a 95% bootstrap interval and Wilcoxon's
 * p over the tasks. */
void sim_rows_print(FILE *file, const struct sim_rows *rows);

#endif
