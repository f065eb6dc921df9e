/* eigen.h - eigenvalues and eigenvectors of a symmetric matrix, with the same bits on every
 * machine.
 *
 * Householder reduction to tridiagonal form and implicit QL with Wilkinson's shift (Golub & Van
 * Loan, Matrix Computations, 8.3). About 9 n^3 operations; every inner loop runs along a row, in
 * lanes that do not depend on each other. */
#ifndef KD_SEARCH_EIGEN_H
#define KD_SEARCH_EIGEN_H

#include <stdbool.h>

/* matrix: n x n by rows, symmetric; only its lower triangle is read, and all of it is overwritten.
 * values: n eigenvalues, ascending; vectors: n x n, row i is the unit eigenvector of values[i], the
 * first of its largest components positive. scratch: 3 n doubles. False, and nothing that can be
 * used, when the matrix has an entry that is not finite. */
bool kd_eigen_symmetric(int n, double *matrix, double *values, double *vectors, double *scratch);

#endif
