/* compare.h - two strategies on the (task, seed) that both have. */
#ifndef KD_TESTS_BENCH_SEARCH_COMPARE_H
#define KD_TESTS_BENCH_SEARCH_COMPARE_H

#include "tests/bench/search/field.h"
#include "tests/bench/search/stats.h"

struct comparison {
    size_t a, b;      /* strategies; below zero, or one for the ratio, is in favour of a */
    const char *kind; /* borrowed; NULL = all */
    int n;            /* trials */
    size_t n_cells;   /* (task, seed) */
    struct stats_interval regret, ratio, rank;
    double p, p_holm; /* Wilcoxon's, over the tasks' mean regrets */
};

/* kind NULL: every task is of it. */
bool compare_is_of_kind(const struct field *field, size_t task, const char *kind);

bool compare_has_pair(const struct field *field, size_t a, size_t b, const char *kind, int n);
struct comparison compare_pair(const struct field *field, size_t a, size_t b, const char *kind,
                               int n);

/* Fills p_holm of all of them. */
void compare_correct(struct comparison *comparisons, size_t n);

#endif
