/* bbob_instance.c - where a function's optimum lies, how its space is turned, how deep it is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/error.h"
#include "coordinator/base/mem.h"
#include "tests/bench/search/bbob.h"
#include "tests/bench/search/bbob_random.h"
#include "tests/bench/search/bbob_vector.h"

enum { FOR_ROTATION = 1000000, PER_INSTANCE = 10000, PER_PEAK = 1000 };

enum form {
    NONE,
    ROTATION,       /* R alone */
    LINEAR,         /* R, and Q scaled */
    LINEAR_ROTATED, /* R, and Q scaled, then R */
};

/* f4 is an instance of f3's seed, f18 of f17's. `ladder`: of the columns of Q. */
static const struct {
    int seed;
    enum form form;
    double ladder;
} recipes[BBOB_FUNCTIONS + 1] = {
    [1] = {1, NONE, 1},
    [2] = {2, NONE, 1},
    [3] = {3, NONE, 1},
    [4] = {3, NONE, 1},
    [5] = {5, NONE, 1},
    [6] = {6, LINEAR_ROTATED, 3.1622776601683795}, /* sqrt(10) */
    [7] = {7, LINEAR, 3.1622776601683795},
    [8] = {8, NONE, 1},
    [9] = {9, LINEAR, 1},
    [10] = {10, ROTATION, 1},
    [11] = {11, ROTATION, 1},
    [12] = {12, ROTATION, 1},
    [13] = {13, LINEAR_ROTATED, 3.1622776601683795},
    [14] = {14, ROTATION, 1},
    [15] = {15, LINEAR_ROTATED, 3.1622776601683795},
    [16] = {16, LINEAR_ROTATED, 0.1},
    [17] = {17, LINEAR, 3.1622776601683795},
    [18] = {17, LINEAR, 31.622776601683793}, /* sqrt(1000) */
    [19] = {19, LINEAR, 1},
    [20] = {20, NONE, 1},
    [21] = {21, NONE, 1},
    [22] = {22, NONE, 1},
    [23] = {23, LINEAR_ROTATED, 10},
    [24] = {24, LINEAR_ROTATED, 10},
};

static double draw_optimum(int64_t seed)
{
    double a, b;
    bbob_gauss(&a, 1, seed);
    bbob_gauss(&b, 1, seed + 1);
    return fmin(1000, fmax(-1000, rint(100 * 100 * a / b) / 100));
}

static void make_matrices(struct bbob *b, int64_t seed)
{
    int n = b->dim;
    size_t size = (size_t)n * (size_t)n;
    enum form form = recipes[b->function].form;
    if (form >= ROTATION) {
        b->rotation = KD_NEW_ARRAY(double, size);
        bbob_rotation(b->rotation, n, seed + FOR_ROTATION);
    }
    if (form >= LINEAR) {
        b->linear = KD_NEW_ARRAY(double, size);
        bbob_rotation(b->linear, n, seed);
        for (int i = 0; i < n; i++)
            bbob_scale(recipes[b->function].ladder, &b->linear[i * n], n);
    }
    for (int i = 0; form == LINEAR_ROTATED && i < n; i++)
        bbob_multiply(b->rotation, &b->linear[i * n], b->scratch, n);
}

/* f9 and f19 have their optimum where z = 1 after z = x M + 1/2, M = scale Q. */
static void place_after_rotation(struct bbob *b)
{
    int n = b->dim;
    double scale = fmax(1, sqrt(n) / 8);
    for (int i = 0; i < n * n; i++)
        b->linear[i] *= scale;
    for (int i = 0; i < n; i++) {
        b->at[i] = 0;
        for (int j = 0; j < n; j++)
            b->at[i] += 0.5 * b->linear[i * n + j];
        b->at[i] /= scale * scale;
    }
}

static void place_signs(double size, double *at, int n)
{
    for (int i = 0; i < n; i++)
        at[i] = size * bbob_sign(at[i]);
}

static void place(struct bbob *b, int64_t seed)
{
    enum { BENT_CIGAR = 12, SCHWEFEL = 20, LUNACEK = 24 };
    int n = b->dim;
    bbob_place_optimum(b->at, n, b->function == BENT_CIGAR ? seed + FOR_ROTATION : seed);
    switch (b->function) {
    case 4: /* every other coordinate is the steep one on its positive side */
        for (int i = 0; i < n; i += 2)
            b->at[i] = fabs(b->at[i]);
        break;
    case 5:
        place_signs(5, b->at, n);
        break;
    case 8:
        for (int i = 0; i < n; i++)
            b->at[i] *= 0.75;
        break;
    case 9:
    case 19:
        place_after_rotation(b);
        break;
    case SCHWEFEL:
        bbob_uniform(b->at, n, seed);
        for (int i = 0; i < n; i++)
            b->at[i] -= 0.5;
        place_signs(4.2096874633 / 2, b->at, n);
        break;
    case LUNACEK:
        bbob_gauss(b->at, n, seed);
        place_signs(2.5 / 2, b->at, n);
        break;
    }
}

/* The widths of one peak: the ladder of its condition, in a random order of the coordinates. */
static void make_widths(double condition, double *widths, int *order, int n, int64_t seed)
{
    bbob_permutation(order, n, seed);
    for (int i = 0; i < n; i++)
        widths[i] = pow(condition, bbob_place(order[i], n) - 0.5);
}

static void make_centres(struct bbob *b, double spread, int64_t seed)
{
    int n = b->dim;
    bbob_uniform(b->centres, n * b->n_peaks, seed);
    for (int i = 0; i < n * b->n_peaks; i++)
        b->centres[i] = spread * (10 * b->centres[i] - 5);
    for (int peak = 0; peak < b->n_peaks; peak++)
        bbob_multiply(b->rotation, &b->centres[peak * n], b->scratch, n);
    for (int i = 0; i < n; i++)
        b->centres[i] *= 0.8; /* the highest is not too near the edge */
    for (int i = 0; i < n; i++)
        b->at[i] = bbob_dot(b->centres, &b->rotation[i * n], n);
}

/* f21: 101 peaks, f22: 21. The first is the highest; the others' conditions are a shuffled ladder
 * from 1 to 1000. */
static void make_peaks(struct bbob *b, int64_t seed)
{
    int n = b->dim, n_peaks = b->function == 21 ? 101 : 21;
    size_t size = (size_t)n_peaks * (size_t)n;
    b->n_peaks = n_peaks;
    b->centres = KD_NEW_ARRAY(double, size);
    b->widths = KD_NEW_ARRAY(double, size);
    b->heights = KD_NEW_ARRAY(double, (size_t)n_peaks);
    b->rotation = KD_NEW_ARRAY(double, (size_t)n *(size_t)n);
    bbob_rotation(b->rotation, n, seed);
    int *shuffled = KD_NEW_ARRAY(int, (size_t)n_peaks);
    int *order = KD_NEW_ARRAY(int, (size_t)n);
    bbob_permutation(shuffled, n_peaks - 1, seed);
    for (int peak = 0; peak < n_peaks; peak++) {
        double condition = peak == 0 ? (b->function == 21 ? sqrt(1000) : 1000)
                                     : pow(1000, bbob_place(shuffled[peak - 1], n_peaks - 1));
        make_widths(condition, &b->widths[peak * n], order, n, seed + (int64_t)PER_PEAK * peak);
        b->heights[peak] = peak == 0 ? 10 : 1.1 + 8 * bbob_place(peak - 1, n_peaks - 1);
    }
    make_centres(b, b->function == 21 ? 1 : 0.98, seed);
    free(order);
    free(shuffled);
}

void bbob_init(struct bbob *b, int function, int dim, int instance)
{
    kd_assert(function >= 1 && function <= BBOB_FUNCTIONS && dim >= 2);
    int64_t seed = recipes[function].seed + (int64_t)PER_INSTANCE * instance;
    *b = (struct bbob){.function = function, .dim = dim, .instance = instance};
    b->at = KD_NEW_ARRAY(double, (size_t)dim);
    b->scratch = KD_NEW_ARRAY(double, 2 * (size_t)dim);
    b->optimum = draw_optimum(seed);
    make_matrices(b, seed);
    place(b, seed);
    if (function == 21 || function == 22)
        make_peaks(b, seed);
}

void bbob_release(struct bbob *b)
{
    free(b->at);
    free(b->rotation);
    free(b->linear);
    free(b->centres);
    free(b->widths);
    free(b->heights);
    free(b->scratch);
    *b = (struct bbob){0};
}
