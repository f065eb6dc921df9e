/* lbfgs.h - the smallest value of a smooth function in a box, by limited-memory BFGS.
 *
 * The two-loop recursion (Nocedal, Math. Comp. 35, 1980) over the coordinates that are not held at
 * a bound; steps are projected onto the box and shortened until they descend enough (Bertsekas,
 * SIAM J. Control 20, 1982). The caller evaluates: so eight searches can be evaluated side by side.
 *
 *     kd_lbfgs_start(search, x, lower, upper);
 *     do
 *         f = ... of search->trial, with its gradient
 *     while (kd_lbfgs_tell(search, f, gradient));
 *     the result: search->x, search->f
 *
 * A value that is not finite counts as too large. */
#ifndef KD_SEARCH_LBFGS_H
#define KD_SEARCH_LBFGS_H

#include <stdbool.h>

enum { KD_LBFGS_MEMORY = 8 };

struct kd_lbfgs {
    int n;
    int max_evaluations;
    double gradient_tolerance; /* ends when no coordinate of the projected gradient is larger */
    double value_tolerance;    /* ends when a step gains less than this times max(1, |f|) */
    double first_step; /* length of the first step, before anything is known of the curvature */

    double *trial; /* to be evaluated next */
    double *x, f;  /* the best so far */
    int n_evaluations;

    /* inside */
    const double *lower, *upper;
    double *gradient, *direction;
    double *steps, *changes; /* KD_LBFGS_MEMORY rows: of x, of the gradient */
    double curvature[KD_LBFGS_MEMORY];
    int n_pairs, next_pair;
    double step, slope;
    int n_shortened;
    double *memory; /* owned: all of the above */
};

/* Room for n coordinates and the usual tolerances. */
void kd_lbfgs_init(struct kd_lbfgs *search, int n);
void kd_lbfgs_release(struct kd_lbfgs *search);

/* Starts at x, clipped to the box; the bounds are borrowed until the end. */
void kd_lbfgs_start(struct kd_lbfgs *search, const double *x, const double *lower,
                    const double *upper);

/* The value and gradient at `trial`. False when the search is over. */
bool kd_lbfgs_tell(struct kd_lbfgs *search, double f, const double *gradient);

#endif
