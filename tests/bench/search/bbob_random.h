/* bbob_random.h - the generator that gives BBOB its instances: Park and Miller's minimal standard
 * with a shuffle table of 32 entries (Bays and Durham), as published with the functions. Not for
 * anything else: kd_rng is better. */
#ifndef KD_TESTS_BENCH_SEARCH_BBOB_RANDOM_H
#define KD_TESTS_BENCH_SEARCH_BBOB_RANDOM_H

#include <stdint.h>

void bbob_uniform(double *out, int n, int64_t seed); /* in (0, 1) */
void bbob_gauss(double *out, int n, int64_t seed);

/* The usual place of the optimum: uniform in [-4, 4], four decimals, never 0. */
void bbob_place_optimum(double *at, int n, int64_t seed);

/* An orthogonal n x n matrix, row-major: Gauss numbers, rows orthogonalised in turn. */
void bbob_rotation(double *matrix, int n, int64_t seed);

/* The order that sorts n uniform numbers: a random permutation. */
void bbob_permutation(int *order, int n, int64_t seed);

#endif
