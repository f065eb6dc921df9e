/* bbob_vector.h - the transformations that the BBOB functions are composed of (RR-6829, section
 * 0.2). All in place, on vectors of n doubles. */
#ifndef KD_TESTS_BENCH_SEARCH_BBOB_VECTOR_H
#define KD_TESTS_BENCH_SEARCH_BBOB_VECTOR_H

/* Where coordinate i stands between the first, 0, and the last, 1. */
double bbob_place(int i, int n);

/* base^place(i): with base = sqrt(a), the diagonal of Lambda^a. */
double bbob_ladder(double base, int i, int n);

/* T_osc: small smooth irregularities. */
double bbob_irregular(double x);
void bbob_make_irregular(double *z, int n);

/* T_asy^beta: breaks the symmetry between z and -z. */
void bbob_make_asymmetric(double beta, double *z, int n);

/* z_i <- base^place(i) z_i */
void bbob_scale(double base, double *z, int n);

/* z <- z M, M row-major; the result is written to `product` first. */
void bbob_multiply(const double *m, double *z, double *product, int n);

double bbob_dot(const double *a, const double *b, int n);
double bbob_sign(double x); /* -1, 0, 1 */

#endif
