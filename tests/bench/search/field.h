/* field.h - results arranged to be compared: strategy x task x seed, as normalised regrets. */
#ifndef KD_TESTS_BENCH_SEARCH_FIELD_H
#define KD_TESTS_BENCH_SEARCH_FIELD_H

#include "tests/bench/search/problem.h"
#include "tests/bench/search/results.h"

/* Regrets below this are equal: the problem is solved, and a geometric mean must not live on the
 * rest. */
#define FIELD_SOLVED 1e-8

struct field_task {
    const char *name; /* borrowed from the results */
    char *kind;       /* owned: the name up to the slash */
};

struct field {
    KD_ARR(const char *) strategies; /* in the order of their first runs; borrowed */
    KD_ARR(struct field_task) tasks;
    size_t n_seeds; /* seeds are 0 .. n_seeds - 1 */
    const struct result *
        *runs; /* owned: [strategy][task][seed], NULL = none; borrowed from the results */
    struct field_scale {
        double optimum, reference;
    } * scales; /* owned: [task][seed] */
};

/* -1 and err: a run of a task that does not exist, or of a negative seed. The results must outlive
 * it. */
int field_init(struct field *field, const struct results *results, struct kd_error *err);
void field_release(struct field *field);

const struct result *field_run(const struct field *field, size_t strategy, size_t task,
                               size_t seed);

/* The normalised regret after n trials, at least FIELD_SOLVED, at most 1; NaN when there is no such
 * run, or it was shorter. */
double field_regret(const struct field *field, size_t strategy, size_t task, size_t seed, int n);

#endif
