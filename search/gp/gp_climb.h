/* gp_climb.h - from good candidates to better points: KD_LANES of them side by side.
 *
 * Rounds of two moves: the continuous dimensions together, by L-BFGS in units of their length
 * scales; then the others one by one, every value tried where there are few of them, a choice of
 * them where there are many. */
#ifndef KD_SEARCH_GP_CLIMB_H
#define KD_SEARCH_GP_CLIMB_H

#include "search/gp/gp_surrogate.h"
#include "search/math/lbfgs.h"
#include "search/math/linalg.h"

struct kd_climb {
    const struct kd_cube *cube; /* borrowed */
    int n_free;                 /* continuous dimensions */
    int *free_dims;             /* owned */
    int n_listed;               /* the others */
    int *listed_dims;           /* owned */
    struct kd_lbfgs search[KD_LANES];
    double *rows; /* owned; [KD_LANES][n_dims]: the starts, then where they got to */
    double values[KD_LANES];
    double *lower, *upper, *lengths; /* owned; of the free dimensions */
    double *points, *slopes;         /* owned; [n_dims][KD_LANES] */
};

void kd_climb_init(struct kd_climb *climb, const struct kd_cube *cube);
void kd_climb_release(struct kd_climb *climb);

/* Improves rows and values; the rows end at coordinates of points that the space allows. */
void kd_climb_run(struct kd_climb *climb, struct kd_acquisition *acquisition, struct kd_rng *rng);

#endif
