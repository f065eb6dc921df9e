/* report.h - results as tables: what each strategy reached, and how the ones in question compare
 * with the others.
 *
 * For each kind of problem, and for all together: the mean of the normalised regret, the geometric
 * mean over the tasks of their mean regrets, and the average rank after 20, 50, 100, 200 trials,
 * over those (task, seed) that every strategy has; then, for each subject against each of the
 * others, over those that both have: the difference of the regrets, the ratio of the geometric
 * means and the difference of the ranks of the two (-1: always better), each with a 95% bootstrap
 * interval over tasks and seeds, and Wilcoxon's signed-rank test over the tasks' mean regrets,
 * corrected after Holm for all lines of the table. */
#ifndef KD_TESTS_BENCH_SEARCH_REPORT_H
#define KD_TESTS_BENCH_SEARCH_REPORT_H

#include "tests/bench/search/field.h"

struct report_options {
    const char *const *subjects; /* names of strategies */
    size_t n_subjects;
    int at; /* trials after which the subjects are compared; 0: the most that all of them have, of the budgets */
};

void report_print(FILE *file, const struct field *field, const struct report_options *options);

#endif
