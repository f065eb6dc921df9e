/* results.h - what came out of runs: for each (strategy, task, seed) the best value after n trials.
 *
 * As a file, CSV with this first line; one row for each trial that improved on the best, and one
 * for the last:
 *
 *     strategy,task,seed,n,best,ask_s
 *
 * ask_s is the time that the strategy took for its n proposals so far, in seconds. Files of other
 * programs may leave it out. */
#ifndef KD_TESTS_BENCH_SEARCH_RESULTS_H
#define KD_TESTS_BENCH_SEARCH_RESULTS_H

#include <stdio.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/error.h"

struct result_step {
    int n;
    double best;
};

struct result {
    char *strategy, *task; /* owned */
    int seed;
    int n; /* trials */
    double ask_s;
    KD_ARR(struct result_step) steps; /* ascending n */
};

struct results {
    KD_ARR(struct result) runs;
};

void results_release(struct results *results);

/* A fresh run at the end; the pointer holds until the next one. */
struct result *results_add(struct results *results, const char *strategy, const char *task,
                           int seed);

/* The n-th trial has this objective; infinite and NaN improve on nothing. */
void result_tell(struct result *run, double objective);

/* The best after n trials: INFINITY when none was finite. */
double result_best(const struct result *run, int n);

void results_write_header(FILE *file);
void results_write(FILE *file, const struct result *run);

/* Adds the runs of a file. -1 and err with file and line. */
int results_read(struct results *results, const char *path, struct kd_error *err);

#endif
