/* linalg.h - dense symmetric systems: Cholesky factors, solves, inverses.
 *
 * Matrices are row-major with a stride; of symmetric and triangular ones only the lower triangle,
 * diagonal included, is read and written. "Lanes" are KD_LANES right-hand sides solved side by
 * side, x[i][lane], which is what makes a processor busy: each lane has its own sum in the order of
 * the index, so the bits depend on neither the compiler nor how many lanes are in use. */
#ifndef KD_SEARCH_LINALG_H
#define KD_SEARCH_LINALG_H

#include <stdbool.h>

enum { KD_LANES = 8 };

/* sum a[i] b[i], in eight partial sums. */
double kd_dot(const double *a, const double *b, int n);

/* Replaces rows from .. n-1 of a positive definite matrix by those of its factor L, L L' = A; the
 * rows above are factored already, so that a row can be appended in O(n^2), with the bits that
 * factoring the whole would give. A pivot below 1e-14 of its diagonal is raised to that: where
 * rounding makes the matrix singular, the factor stays finite. work: KD_LANES * n. */
void kd_cholesky_extend(double *a, int stride, int from, int n, double *work);

/* The whole factor at once; false, and nothing that can be used, when the matrix is not positive
 * definite. */
bool kd_cholesky_factor(double *a, int stride, int n);

/* x = (L L')^-1 x, in place. */
void kd_cholesky_solve(const double *l, int stride, int n, double *x);

/* x = L^-1 x and x = L'^-1 x, in place. */
void kd_cholesky_forward(const double *l, int stride, int n, double *x);
void kd_cholesky_backward(const double *l, int stride, int n, double *x);

/* The same for KD_LANES of them, x[n][KD_LANES]. */
void kd_cholesky_forward_lanes(const double *l, int stride, int n, double *x);
void kd_cholesky_backward_lanes(const double *l, int stride, int n, double *x);

/* The lower triangle of (L L')^-1, with the same stride. work: KD_LANES * n. */
void kd_cholesky_invert(const double *l, int stride, int n, double *inverse, double *work);

/* ln det(L L') / 2 = sum of ln L[i][i] */
double kd_cholesky_half_log_det(const double *l, int stride, int n);

/* For each lane: sums[lane] = sum over i of a[i][lane] b[i][lane]; with `shared`, of a[i]
 * b[i][lane]. */
void kd_dot_lanes(const double *a, const double *b, int n, double *sums);
void kd_dot_shared(const double *a, const double *b, int n, double *sums);

#endif
