/* axis.h - a parameter as strategies see it: one real coordinate, or a choice.
 *
 *     double              x, or ln x for log forms, from low to high
 *     with a step, int    the same, low and high widened by half a step on each side, so that every value owns a cell
 *                         of [low, high] and a real coordinate rounds to the value whose cell it is in
 *     discrete            the position 0 .. n-1 in the sorted list, with cells of width 1: neighbours in the list are
 *                         near each other, whatever their distance
 *     categorical         the index; no coordinate
 *
 * Where widening would reach zero or less under a logarithm, the lowest cell begins at half the
 * smallest value. */
#ifndef KD_SEARCH_AXIS_H
#define KD_SEARCH_AXIS_H

#include <stdbool.h>

#include "coordinator/base/rng.h"
#include "search/space.h"

struct kd_axis {
    const struct kd_param *param; /* borrowed */
    bool is_categorical, is_log, is_normal;
    bool has_cells;   /* takes finitely many values */
    double low, high; /* of the coordinate, widened */
    double mean;      /* of the prior: the middle of min and max in the coordinate */
    double
        deviation; /* of a normal prior: a sixth of max - min in the coordinate; else high - low */
    double first,
        last;         /* smallest and largest value, in the parameter's own unit (list: position) */
    double half_step; /* half of a cell in the parameter's own unit; 0 without cells */
    int n_choices;    /* categorical */
};

void kd_axis_init(struct kd_axis *axis, const struct kd_param *param);

/* A fresh array of one axis per parameter; the caller frees. */
struct kd_axis *kd_axes_new(const struct kd_space *space);

/* Value to coordinate and back; back rounds to the nearest cell and clips. Categorical: both are
 * the index. */
double kd_axis_coordinate(const struct kd_axis *axis, double value);
double kd_axis_value(const struct kd_axis *axis, double coordinate);

/* The cell of an allowed value, in the coordinate; needs has_cells. */
void kd_axis_cell(const struct kd_axis *axis, double value, double *from, double *to);

/* The value at share u, 0 <= u < 1, of the parameter's distribution; categorical: of the choices in
 * their order. */
double kd_axis_quantile(const struct kd_axis *axis, double u);

/* A value drawn from the parameter's distribution. Takes one or more numbers from rng. */
double kd_axis_draw(const struct kd_axis *axis, struct kd_rng *rng);

#endif
