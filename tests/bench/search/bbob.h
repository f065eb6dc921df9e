/* bbob.h - the 24 noiseless functions of BBOB, in any dimension from 2, in any instance.
 *
 * Hansen, Finck, Ros, Auger: "Real-Parameter Black-Box Optimization Benchmarking 2009: Noiseless
 * Functions Definitions", INRIA RR-6829. Shifts, rotations and optimal values come from the
 * generator that is published with it, so instance i here is instance i there:
 * tests/search/test_bench_tasks.c holds the values against pycma's.
 *
 * The search domain is [-5, 5]^d; outside it most functions add a penalty. */
#ifndef KD_TESTS_BENCH_SEARCH_BBOB_H
#define KD_TESTS_BENCH_SEARCH_BBOB_H

enum { BBOB_FUNCTIONS = 24 };

struct bbob {
    int function, dim, instance; /* function: 1 .. 24 */
    double optimum;              /* the smallest value; taken at `at` */
    double *at;                  /* owned, dim values */
    /* Owned, dim x dim, row-major, applied as z <- z M; NULL where the function has none. `linear`
     * is a rotation with scaled columns, for most functions followed by `rotation`. */
    double *rotation, *linear;
    /* Gallagher's peaks: centres in rotated coordinates and inverse squared widths, n_peaks x dim
     * each; heights. */
    int n_peaks;
    double *centres, *widths, *heights;
    double *scratch; /* owned: an evaluation writes here, so one bbob serves one thread */
};

void bbob_init(struct bbob *b, int function, int dim, int instance);
void bbob_release(struct bbob *b);
double bbob_evaluate(const struct bbob *b, const double *x);

#endif
