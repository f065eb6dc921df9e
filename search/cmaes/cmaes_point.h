/* cmaes_point.h - points out of CMA-ES's state, and points back into steps that it learns from. */
#ifndef KD_SEARCH_CMAES_POINT_H
#define KD_SEARCH_CMAES_POINT_H

#include "search/cmaes/cmaes_state.h"

/* Purposes of streams; 3 is cmaes_rays.c's. */
enum { KD_CMA_FOR_DRAWS = 0, KD_CMA_FOR_FILLING = 1, KD_CMA_FOR_RESTARTS = 2 };

/* The point for a trial: a function of the state and its number, but that points which the history
 * has give way. Steps that leave the box are clipped to it. */
void kd_cma_point_draw(struct kd_cma_state *state, const struct kd_history *history, int number,
                       double *point);

/* The step and the choices that led to a trial's point. When the state would propose just this
 * point for this number, they are known. Otherwise somebody else proposed it, or an earlier state:
 * the step is made from the values, drawn anew within a cell and where a parameter is inactive, and
 * shortened to what is likely (kd_cma_clip). */
void kd_cma_point_step(struct kd_cma_state *state, const struct kd_history *history, int number,
                       double *step, int *picks);

/* The white coordinates of a point; false when a number of it is inactive. */
bool kd_cma_point_white(const struct kd_cma_state *state, const double *values, double *z);

#endif
