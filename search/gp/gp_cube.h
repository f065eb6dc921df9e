/* gp_cube.h - points as coordinates of the unit cube: what a Gaussian process sees of a space.
 *
 * A dimension for every parameter that can take more than one value: numbers by their axis (axis.h:
 * logarithms, cells widened) scaled to [0, 1]; of a category the index of the choice. */
#ifndef KD_SEARCH_GP_CUBE_H
#define KD_SEARCH_GP_CUBE_H

#include <stdbool.h>

#include "search/axis.h"

enum kd_dim_kind {
    KD_DIM_CONTINUOUS, /* every coordinate, or so many cells that it may be taken for continuous */
    KD_DIM_CELLS,      /* few values: they are tried one by one */
    KD_DIM_CATEGORY,
};

struct kd_cube {
    const struct kd_space *space; /* borrowed */
    struct kd_axis *axes;         /* owned, by parameter */
    int n_dims;
    int *param_of;          /* by dimension */
    enum kd_dim_kind *kind; /* by dimension */
    bool *is_category;      /* by dimension */
    double *n_values;       /* by dimension; INFINITY when it has no cells */
};

void kd_cube_init(struct kd_cube *cube, const struct kd_space *space);
void kd_cube_release(struct kd_cube *cube);

/* point[n_params] to x[n_dims], and back to the nearest point that the space allows. A value from
 * outside (a point that a user gave) has the coordinate of the nearest one. */
void kd_cube_from_point(const struct kd_cube *cube, const double *point, double *x);
void kd_cube_to_point(const struct kd_cube *cube, const double *x, double *point);

/* One dimension: the coordinate of the k-th value, k < n_values; and the coordinate that x is
 * rounded to. */
double kd_cube_nth(const struct kd_cube *cube, int dim, double k);
double kd_cube_snap(const struct kd_cube *cube, int dim, double x);

/* The coordinate at share u, 0 <= u < 1, of the parameter's distribution; and one drawn from it. */
double kd_cube_quantile(const struct kd_cube *cube, int dim, double u);
double kd_cube_draw(const struct kd_cube *cube, int dim, struct kd_rng *rng);

#endif
