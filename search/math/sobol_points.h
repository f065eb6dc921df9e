/* sobol_points.h - Sobol's low-discrepancy sequence: points that fill the unit cube evenly, each a
 * function of its index.
 *
 * Directions of Joe and Kuo ("Constructing Sobol sequences with better two-dimensional
 * projections", SIAM J. Sci. Comput. 2008), in the Gray-code order of Antonov and Saleev:
 * kd_sobol_plain gives what SciPy's Sobol(scramble=False, bits=32) gives. Of every 2^k points that
 * begin at a multiple of 2^k, one lies in each of the 2^k equal slices of any coordinate.
 *
 * kd_sobol_scrambled turns the digits as Owen did ("Randomly permuted (t,m,s)-nets and
 * (t,s)-sequences", 1995): whether the halves of an interval are exchanged is a random bit of
 * (seed, dimension, all digits before). That keeps the slices and boxes, takes the points off the
 * corner, and makes each one uniform. Digits beyond the 32nd are random, 53 in all. The bits are
 * hashes of the prefix, not a permuting hash of all digits at once (Burley, JCGT 2020), which turns
 * the first few levels far from independently. */
#ifndef KD_SEARCH_SOBOL_POINTS_H
#define KD_SEARCH_SOBOL_POINTS_H

#include <stdint.h>

enum { KD_SOBOL_DIMS = 1111 };

struct kd_sobol {
    int n_dims;
    uint32_t *directions; /* owned; 32 rows of n_dims */
};

/* 1 <= n_dims <= KD_SOBOL_DIMS; 0 is allowed, and has empty points. */
void kd_sobol_init(struct kd_sobol *sobol, int n_dims);
void kd_sobol_release(struct kd_sobol *sobol);

/* The point of this index: n_dims numbers in [0, 1). */
void kd_sobol_plain(const struct kd_sobol *sobol, uint32_t index, double *out);
void kd_sobol_scrambled(const struct kd_sobol *sobol, uint64_t seed, uint32_t index, double *out);

/* One scrambled point with nothing kept: makes the directions anew, 0.2 us for each dimension. For
 * many points, init. */
void kd_sobol_point(uint64_t seed, uint32_t index, int n_dims, double *out);

#endif
