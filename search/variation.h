/* variation.h - children of two points: how evolution mixes and changes the values of parameters.
 *
 * A number is varied in its axis' coordinate (axis.h): simulated binary crossover (Deb, Agrawal,
 * Complex Systems 1995) and polynomial mutation (Deb, Goyal 1996), both in the form that keeps the
 * bounds. The larger eta, the nearer a child is to its parent. A choice is taken over, or drawn
 * anew. What is inactive in one parent (NaN) comes from the other, and what is inactive in both is
 * drawn from its distribution, so that a child is whole whatever becomes active. */
#ifndef KD_SEARCH_VARIATION_H
#define KD_SEARCH_VARIATION_H

#include "search/axis.h"

struct kd_variation {
    const struct kd_axis *axes; /* borrowed */
    int n_axes;
    double crossover_prob; /* else the child begins as the first parent */
    double swapping_prob;  /* of taking a value from the second parent's side */
    double mutation_prob;  /* of each value */
    double crossover_eta, mutation_eta;
};

void kd_vary(const struct kd_variation *how, const double *first, const double *second,
             struct kd_rng *rng, double *child);

#endif
