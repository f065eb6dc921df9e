/* hypervolume.h - how much of the space before a reference point some cost vectors dominate: the
 * quality of a front.
 *
 * Exact: a sweep for one to three objectives, else the WFG algorithm (While, Bradstreet, Barone, "A
 * fast way of calculating exact hypervolumes", IEEE TEC 2012, equations 6 and 7) with one objective
 * less at each level. */
#ifndef KD_SEARCH_HYPERVOLUME_H
#define KD_SEARCH_HYPERVOLUME_H

/* rows: n x m costs, minimised, no NaN; repeated and dominated ones are fine, and one that is not
 * below the reference in every objective adds nothing. INFINITY when an infinite volume is
 * dominated, or one beyond the largest number. */
double kd_hypervolume(const double *rows, int n, int m, const double *reference);

#endif
