/* stats.h - the statistics of a comparison; pure, and the same on every run. Oracle: scipy
 * (tests/search/test_bench_stats.c). */
#ifndef KD_TESTS_BENCH_SEARCH_STATS_H
#define KD_TESTS_BENCH_SEARCH_STATS_H

#include <stddef.h>

double stats_mean(const double *values, size_t n); /* NaN for none */

/* Of a sorted array, linear between the neighbours (numpy's default); q in [0, 1], n >= 1. */
double stats_quantile(const double *sorted, size_t n, double q);

/* 1 = smallest; equal values share the mean of their ranks. */
void stats_ranks(const double *values, size_t n, double *ranks);

/* Two-sided p of the signed-rank test on paired differences (Wilcoxon 1945). Zeros keep their
 * ranks, half on each side (zsplit). Exact up to 50 differences without ties and zeros, else the
 * normal approximation with its correction for ties. 1 when there is nothing to tell. */
double stats_wilcoxon(const double *differences, size_t n);

/* Holm's step-down correction (1979), in place. */
void stats_holm(double *p, size_t n);

struct stats_group {
    const double *values; /* borrowed */
    size_t n;
};
struct stats_interval {
    double estimate, low, high;
};

/* The mean of the groups' means and its 95% percentile interval: groups are drawn with replacement
 * and values within them, 2,000 times. Empty groups must not be given. */
struct stats_interval stats_bootstrap(const struct stats_group *groups, size_t n_groups);

/* How many times as large a is as b: the geometric mean, over the groups, of the ratio of the
 * groups' means, with its interval in the same way. a and b are paired: the same groups of the same
 * sizes, all values positive. */
struct stats_interval stats_bootstrap_ratio(const struct stats_group *a,
                                            const struct stats_group *b, size_t n_groups);

#endif
