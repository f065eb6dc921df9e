/* gp_fit.h - the hyperparameters of a Gaussian process: the most probable ones, given the
 * observations.
 *
 * Priors, in the logarithms that are fitted:
 *
 *     length scale    normal, mean ln 0.45 + ln(n_dims)/2, deviation 1: the more dimensions, the
 *                     smoother the function along each (Hvarfner et al., ICML 2024, arXiv
 *                     2402.02229, whose mean, sqrt(2), and deviation, sqrt(3), lead to the corners
 *                     of the cube while little is known)
 *     variance        normal, mean 0, deviation 1.5 (targets have variance 1)
 *     noise variance  normal, mean ln 1e-5, deviation 3; from 1e-8 on, so that the matrix can be factored
 */
#ifndef KD_SEARCH_GP_FIT_H
#define KD_SEARCH_GP_FIT_H

#include "search/gp/gp.h"

/* The mean of a length scale's logarithm, before there are data. */
double kd_gp_expected_length(int n_dims);

/* A theta to begin at. */
void kd_gp_guess(int n_dims, double *theta);

/* Moves theta to the nearest maximum of evidence + ln prior, in at most max_evaluations; returns
 * the maximum. */
double kd_gp_fit(struct kd_gp *gp, double *theta, int max_evaluations);

#endif
