/* perturb.h - a point near another one: how population-based training explores (Jaderberg et al.,
 * arXiv 1711.09846). */
#ifndef KD_SEARCH_PERTURB_H
#define KD_SEARCH_PERTURB_H

#include "search/axis.h"

struct kd_perturbation {
    double down, up; /* factors, below and above 1 */
    double resample; /* probability that a parameter is drawn anew instead */
};

/* Writes the neighbour of `from` into `to`. Every parameter is drawn anew with probability
 * `resample`, else it moves down or up with probability one half:
 *
 *     log form           times the factor
 *     other number       times the factor, by a twentieth of the range at least, so that 0 can be left
 *     list, coarse grid  to the neighbouring value; at an end it stays
 *
 * cut to the bounds and the grid. Inactive parameters are drawn anew where they become active, NaN
 * else. */
void kd_point_perturb(const struct kd_space *, const struct kd_axis *axes,
                      const struct kd_perturbation *, struct kd_rng *, const double *from,
                      double *to);

#endif
