/* special.h - the functions that the search needs beyond + - * / sqrt: ours, so that a replay is
 * bit-exact on every machine and with every compiler.
 *
 * Built from + - * / sqrt floor fabs and bit patterns alone, with -ffp-contract=off and no table
 * that a C library could choose. Accuracy is stated in units in the last place (ulp), checked in
 * tests/search/test_special.c against values computed with 60 digits. NaN in gives NaN out
 * everywhere. */
#ifndef KD_SEARCH_SPECIAL_H
#define KD_SEARCH_SPECIAL_H

#include <stddef.h>

#define KD_SQRT_HALF     0x1.6a09e667f3bcdp-1
#define KD_LOG_SQRT_2_PI 0x1.d67f1c864beb5p-1

double kd_exp(double x); /* 1 ulp; 0 below -745.2, INFINITY above 709.8 */
double
kd_ln(double x); /* natural logarithm (kd_log is a log line); 1 ulp; -INFINITY at 0, NaN below */
double kd_log1p(double x); /* 2 ulp; -INFINITY at -1, NaN below */

double kd_erf(double x);   /* 2 ulp */
double kd_erfc(double x);  /* 4 ulp, down to the smallest normal number */
double kd_erfcx(double x); /* exp(x^2) erfc(x); 3 ulp for x >= 0 */

/* Standard normal distribution: P(X <= x), its logarithm (exact deep in the lower tail), and the
 * inverse. */
double kd_normal_cdf(double x);      /* 8 ulp where the result is a normal number */
double kd_normal_log_cdf(double x);  /* 4 ulp */
double kd_normal_quantile(double p); /* relative error 1e-14; p in [0, 1], INFINITY at the ends */

/* The x with kd_normal_log_cdf(x) == log_p, log_p <= 0: where exp(log_p) would underflow or lose
 * digits. */
double kd_normal_log_quantile(double log_p);

/* log(sum exp(x[i])) without overflow; -INFINITY when n is 0 or every x[i] is. */
double kd_log_sum_exp(const double *x, size_t n);

#endif
