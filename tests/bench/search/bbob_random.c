#include "tests/bench/search/bbob_random.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "tests/bench/search/bbob_vector.h"

enum { TABLE = 32 };

/* 16807 s mod 2^31 - 1. */
static int64_t step(int64_t s)
{
    return 16807 * s % 2147483647;
}

void bbob_uniform(double *out, int n, int64_t seed)
{
    int64_t table[TABLE], state = llabs(seed) < 1 ? 1 : llabs(seed);
    for (int i = 39; i >= 0; i--) {
        state = step(state);
        if (i < TABLE)
            table[i] = state;
    }
    int64_t drawn = table[0];
    for (int i = 0; i < n; i++) {
        state = step(state);
        int64_t at = drawn / 67108865;
        drawn = table[at];
        table[at] = state;
        out[i] = drawn == 0 ? 1e-99 : (double)drawn / 2.147483647e9;
    }
}

void bbob_gauss(double *out, int n, int64_t seed)
{
    double *uniform = KD_NEW_ARRAY(double, 2 * (size_t)n);
    bbob_uniform(uniform, 2 * n, seed);
    for (int i = 0; i < n; i++) {
        out[i] = sqrt(-2 * log(uniform[i])) * cos(2 * M_PI * uniform[n + i]);
        if (out[i] == 0)
            out[i] = 1e-99;
    }
    free(uniform);
}

void bbob_place_optimum(double *at, int n, int64_t seed)
{
    bbob_uniform(at, n, seed);
    for (int i = 0; i < n; i++) {
        at[i] = 8 * floor(1e4 * at[i]) / 1e4 - 4;
        if (at[i] == 0)
            at[i] = -1e-5;
    }
}

void bbob_rotation(double *matrix, int n, int64_t seed)
{
    bbob_gauss(matrix, n * n, seed);
    for (int i = 0; i < n; i++) {
        double *row = &matrix[i * n];
        for (int j = 0; j < i; j++) {
            const double *earlier = &matrix[j * n];
            double along = bbob_dot(row, earlier, n);
            for (int k = 0; k < n; k++)
                row[k] -= along * earlier[k];
        }
        double length = sqrt(bbob_dot(row, row, n));
        for (int k = 0; k < n; k++)
            row[k] /= length;
    }
}

void bbob_permutation(int *order, int n, int64_t seed)
{
    double *keys = KD_NEW_ARRAY(double, (size_t)n);
    bbob_uniform(keys, n, seed);
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && keys[order[at - 1]] > keys[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    free(keys);
}
