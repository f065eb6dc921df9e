/* columns.h - the values of a history's trials, one column per parameter, as coordinates and in
 * ascending order.
 *
 * A cache of nothing but the history: kd_columns_sync brings it up to date at the cost of the
 * trials that are new, and starts over from the first trial that differs from what it holds. */
#ifndef KD_SEARCH_COLUMNS_H
#define KD_SEARCH_COLUMNS_H

#include "search/axis.h"
#include "search/history.h"

struct kd_ranked {
    double coordinate;
    int trial;
};

struct kd_columns {
    const struct kd_axis *axes; /* borrowed; n_axes of them */
    int n_axes;
    int n, capacity;      /* trials */
    int n_kept;           /* of the trials before the last sync, how many stayed as they were */
    double *values;       /* n rows of n_axes values, as in the history */
    double **coordinates; /* [axis][trial]; NaN where the parameter is inactive */
    /* [axis][rank], by coordinate, then by trial, of the trials in which the parameter is active;
     * n_ranked[axis] of them. Not kept for categorical axes. */
    struct kd_ranked **order;
    int *n_ranked;
};

void kd_columns_init(struct kd_columns *columns, const struct kd_axis *axes, int n_axes);
void kd_columns_release(struct kd_columns *columns);
void kd_columns_sync(struct kd_columns *columns, const struct kd_history *history);

#endif
