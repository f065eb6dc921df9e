/* table.h - results of training runs that were made once, one for every point of a grid: looking
 * one up is exact.
 *
 * A file, in lines of words parted by blanks:
 *
 *     # text
 *     epochs N                        only where there are learning curves
 *     samples N                       that a curve's errors were counted on
 *     parameter NAME value value ...  numbers are in order; words are choices without one
 *     then a line for each point, the last parameter fastest: its objective, minimised; or, with
 *     epochs, the microseconds
 *     of an epoch and for each epoch "errors:loss" with the loss x 10,000, "-" when it was not finite
 */
#ifndef KD_TESTS_BENCH_SEARCH_TABLE_H
#define KD_TESTS_BENCH_SEARCH_TABLE_H

#include <stdbool.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/error.h"

struct table_param {
    char *name; /* owned */
    int n;      /* values */
    bool is_choice;
};

enum table_column { TABLE_OBJECTIVE = 0, TABLE_ERRORS = 0, TABLE_LOSS = 1, TABLE_COLUMNS };

struct table {
    KD_ARR(struct table_param) params;
    int n_steps; /* 1 without curves */
    int n_samples;
    bool has_curves;
    size_t n_rows;
    double *columns
        [TABLE_COLUMNS]; /* n_rows x n_steps; the loss NULL without curves; errors as a share */
    double *step_s;      /* n_rows; NULL without curves */
};

/* NULL and err: with file and line. */
struct table *table_read(const char *path, struct kd_error *err);
void table_free(struct table *table);

/* The row of a point given by positions in the parameters' values. */
size_t table_row(const struct table *table, const double *point);

#endif
