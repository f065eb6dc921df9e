/* cmaes_chart.h - the space as CMA-ES sees it: numbers as coordinates in [0, 1], choices by
 * themselves.
 *
 * A coordinate is kd_axis's scaled to [0, 1] (so log parameters are even in the logarithm); values
 * on a grid and in sorted lists own a cell of it. Parameters with one value are left out: the chart
 * fills them in. */
#ifndef KD_SEARCH_CMAES_CHART_H
#define KD_SEARCH_CMAES_CHART_H

#include <stdbool.h>

#include "search/axis.h"

struct kd_chart {
    int n_params, n_numbers, n_choices;
    struct kd_axis *axes; /* owned; one per parameter */
    int *numbers;         /* owned; which parameter each coordinate is */
    int *choices;         /* owned; which parameters are categorical */
    double *fixed;        /* owned; a point: the values of parameters that have one */
    bool all_cells;       /* the space is finite */
};

void kd_chart_init(struct kd_chart *chart, const struct kd_space *space);
void kd_chart_release(struct kd_chart *chart);

/* Coordinate j of a value and back; back rounds and clips. A coordinate with cells? */
double kd_chart_coordinate(const struct kd_chart *chart, int j, double value);
double kd_chart_value(const struct kd_chart *chart, int j, double x);
bool kd_chart_has_cells(const struct kd_chart *chart, int j);

/* The edges of the cell that x is in: everything that rounds to the same value, so -INFINITY and
 * INFINITY at the ends. */
void kd_chart_cell(const struct kd_chart *chart, int j, double x, double *from, double *to);

#endif
