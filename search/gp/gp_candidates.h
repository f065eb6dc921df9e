/* gp_candidates.h - points among which a Gaussian process looks for the most hopeful one.
 *
 * Of a finite space that is small enough, every point that was not tried. Else half of them are
 * Sobol points, at the quantiles of the parameters' distributions, the others from around the best
 * trials: steps of all sizes from half of the cube (or of a length scale) to a thousandth, in all
 * dimensions, or in a few of them. */
#ifndef KD_SEARCH_GP_CANDIDATES_H
#define KD_SEARCH_GP_CANDIDATES_H

#include "search/gp/gp_surrogate.h"
#include "search/math/sobol_points.h"

struct kd_candidates {
    int n, n_dims;
    double *rows;   /* owned; [n][n_dims] coordinates of points that the space allows */
    double *values; /* owned; of the acquisition */
    int *order;     /* owned; indices, most hopeful first */
    struct kd_sobol sobol;
    bool is_all; /* every point that was not tried is among them */
};

enum { KD_CANDIDATES = 1024 };

void kd_candidates_init(struct kd_candidates *candidates, int n_dims);
void kd_candidates_release(struct kd_candidates *candidates);

/* Fills rows; then values and order. */
void kd_candidates_draw(struct kd_candidates *candidates, const struct kd_surrogate *surrogate,
                        const struct kd_history *history, struct kd_rng *rng);
void kd_candidates_rank(struct kd_candidates *candidates, struct kd_acquisition *acquisition);

/* values[n] of the acquisition at rows[n][n_dims], eight by eight. */
void kd_acquisition_of_rows(struct kd_acquisition *acquisition, const double *rows, int n,
                            double *values);

#endif
