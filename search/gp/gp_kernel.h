/* gp_kernel.h - the Matern 5/2 covariance of many pairs at once, from their squared scaled
 * distances.
 *
 *     r2 = sum over the dimensions of ((a - b) / length)^2, for a category of (a != b) / length^2
 *     k = variance (1 + t + t^2/3) e^-t,  t = sqrt(5 r2)      (Rasmussen and Williams 2006, eq. 4.17)
 *     slope = -2 dk/d(r2) = 5/3 variance (1 + t) e^-t
 *
 * so that dk/da = -slope (a - b) / length^2 and dk/d(ln length) = slope ((a - b) / length)^2.
 * Accuracy: 4e-15, relative. */
#ifndef KD_SEARCH_GP_KERNEL_H
#define KD_SEARCH_GP_KERNEL_H

#include <stdbool.h>

/* k[i] and slope[i] of r2[i]. k may be r2. */
void kd_matern_values(const double *r2, int n, double variance, double *k);
void kd_matern_slopes(const double *r2, int n, double variance, double *k, double *slope);

/* squares[i] = (column[i] - x)^2; of a category: 1 where they differ, else 0. */
void kd_gp_squares(const double *column, double x, int n, bool is_category, double *squares);

/* r2[i][lane] += weight * square of (column[i] - x[lane]) */
void kd_gp_add_squares_lanes(const double *column, const double *x, int n, bool is_category,
                             double weight, double *r2);

#endif
