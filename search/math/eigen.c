#include "search/math/eigen.h"

#include <math.h>
#include <string.h>

#include "search/math/linalg.h"

/* All work is done on a tridiagonal form T = Q' A Q: its diagonal and the entries below it,
 * below[i] = T[i+1][i]. */
struct tridiagonal {
    int n;
    double *diagonal, *below;
    double *vectors; /* row i becomes the i-th eigenvector */
};

/* Makes v the Householder vector that maps it to (length, 0, ..), with 2 / v'v in *scale (0:
 * nothing to do); returns the signed length. */
static double householder(int n, double *v, double *scale)
{
    double largest = 0;
    for (int i = 0; i < n; i++)
        largest = fabs(v[i]) > largest ? fabs(v[i]) : largest;
    *scale = 0;
    if (n < 2 || largest == 0)
        return n > 0 ? v[0] : 0;
    for (int i = 0; i < n; i++)
        v[i] /= largest;
    double tail = kd_dot(&v[1], &v[1], n - 1);
    if (tail == 0) {
        v[0] *= largest;
        return v[0];
    }
    double length = sqrt(v[0] * v[0] + tail);
    length = v[0] > 0 ? -length : length;
    v[0] -= length;
    *scale = 2 / (v[0] * v[0] + tail);
    return length * largest;
}

/* p = A v of the symmetric m x m block whose lower triangle is stored with the given row length. */
static void multiply_lower(int m, const double *block, int stride, const double *v, double *p)
{
    memset(p, 0, (size_t)m * sizeof *p);
    for (int i = 0; i < m; i++) {
        const double *row = &block[(size_t)i * (size_t)stride];
        for (int j = 0; j < i; j++)
            p[j] += row[j] * v[i];
        p[i] += kd_dot(row, v, i + 1);
    }
}

/* Reduces the matrix from its first column on. Reflector k is left in row k, from column k + 1 (the
 * upper triangle is free), its scale in vectors' first column for the time being. */
static void reduce(struct tridiagonal *t, double *a, double *p)
{
    int n = t->n;
    for (int k = 0; k + 1 < n; k++) {
        int m = n - k - 1;
        double *v = &a[(size_t)k * (size_t)n + (size_t)k + 1];
        double *block = &a[((size_t)k + 1) * (size_t)n + (size_t)k + 1], scale;
        for (int i = 0; i < m; i++)
            v[i] = block[(size_t)i * (size_t)n - 1];
        t->diagonal[k] = v[-1];
        t->below[k] = householder(m, v, &scale);
        t->vectors[(size_t)k * (size_t)n] = scale;
        if (scale == 0)
            continue;
        multiply_lower(m, block, n, v, p);
        double half = scale * scale / 2 * kd_dot(p, v, m);
        for (int i = 0; i < m; i++)
            p[i] = scale * p[i] - half * v[i];
        for (int i = 0; i < m; i++) {
            double *row = &block[(size_t)i * (size_t)n];
            for (int j = 0; j <= i; j++)
                row[j] -= v[i] * p[j] + p[i] * v[j];
        }
    }
    t->diagonal[n - 1] = a[(size_t)n * (size_t)n - 1];
}

/* vectors = Q' by rows: the reflectors applied to the unit matrix, last one first. */
static void accumulate(struct tridiagonal *t, const double *a, double *scales)
{
    int n = t->n;
    for (int k = 0; k < n; k++)
        scales[k] = t->vectors[(size_t)k * (size_t)n];
    memset(t->vectors, 0, (size_t)n * (size_t)n * sizeof *t->vectors);
    for (int i = 0; i < n; i++)
        t->vectors[(size_t)i * (size_t)n + (size_t)i] = 1;
    for (int k = n - 2; k >= 0; k--) {
        int m = n - k - 1;
        const double *v = &a[(size_t)k * (size_t)n + (size_t)k + 1];
        double *block = &t->vectors[((size_t)k + 1) * (size_t)n + (size_t)k + 1];
        if (scales[k] == 0)
            continue;
        for (int i = 0; i < m; i++) {
            double *row = &block[(size_t)i * (size_t)n], factor = scales[k] * kd_dot(row, v, m);
            for (int j = 0; j < m; j++)
                row[j] -= factor * v[j];
        }
    }
}

/* Turns rows i and i + 1 of the vectors by the angle of cosine c and sine s. */
static void rotate(const struct tridiagonal *t, int i, double c, double s)
{
    double *restrict x = &t->vectors[(size_t)i * (size_t)t->n], *restrict y = x + t->n;
    for (int j = 0; j < t->n; j++) {
        double at = y[j];
        y[j] = s * x[j] + c * at;
        x[j] = c * x[j] - s * at;
    }
}

/* One QL sweep over rows first .. last with the shift that Wilkinson gives. */
static void sweep(struct tridiagonal *t, int first, int last)
{
    double *d = t->diagonal, *e = t->below;
    double half = (d[first + 1] - d[first]) / (2 * e[first]);
    double root = sqrt(half * half + 1);
    double g = d[last] - d[first] + e[first] / (half < 0 ? half - root : half + root);
    double sine = 1, cosine = 1, shift = 0;
    for (int i = last - 1; i >= first; i--) {
        double f = sine * e[i], b = cosine * e[i];
        double length = sqrt(f * f + g * g);
        if (i + 1 < last)
            e[i + 1] = length;
        if (length == 0) { /* the matrix falls apart here: the next sweep works on the parts */
            d[i + 1] -= shift;
            return;
        }
        sine = f / length;
        cosine = g / length;
        g = d[i + 1] - shift;
        double r = (d[i] - g) * sine + 2 * cosine * b;
        shift = sine * r;
        d[i + 1] = g + shift;
        g = cosine * r - b;
        rotate(t, i, cosine, sine);
    }
    d[first] -= shift;
    e[first] = g;
}

/* The end of the block that begins at `first`: the entry below it is nothing beside its
 * neighbours. */
static int block_end(const struct tridiagonal *t, int first)
{
    int last = first;
    for (; last + 1 < t->n; last++) {
        double beside = fabs(t->diagonal[last]) + fabs(t->diagonal[last + 1]);
        if (fabs(t->below[last]) <= 0x1p-52 * beside)
            break;
    }
    return last;
}

static void diagonalise(struct tridiagonal *t)
{
    enum { SWEEPS = 100 }; /* two or three are usual; entries that underflowed must not keep us */
    for (int first = 0; first < t->n; first++) {
        for (int i = 0; i < SWEEPS; i++) {
            int last = block_end(t, first);
            if (last == first)
                break;
            sweep(t, first, last);
        }
    }
}

static void swap_rows(const struct tridiagonal *t, int i, int j)
{
    double *x = &t->vectors[(size_t)i * (size_t)t->n], *y = &t->vectors[(size_t)j * (size_t)t->n];
    double value = t->diagonal[i];
    t->diagonal[i] = t->diagonal[j];
    t->diagonal[j] = value;
    for (int k = 0; k < t->n; k++) {
        double at = x[k];
        x[k] = y[k];
        y[k] = at;
    }
}

static void sort_ascending(const struct tridiagonal *t)
{
    for (int i = 0; i < t->n; i++) {
        int least = i;
        for (int j = i + 1; j < t->n; j++)
            least = t->diagonal[j] < t->diagonal[least] ? j : least;
        if (least != i)
            swap_rows(t, i, least);
    }
}

/* A vector and its negative are as good as each other: one of them is chosen. */
static void fix_sign(int n, double *vector)
{
    int largest = 0;
    for (int i = 1; i < n; i++)
        largest = fabs(vector[i]) > fabs(vector[largest]) ? i : largest;
    double sign = vector[largest] < 0 ? -1 : 1;
    for (int i = 0; i < n; i++)
        vector[i] *= sign;
}

static double largest_entry(int n, const double *matrix)
{
    double largest = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double size = fabs(matrix[(size_t)i * (size_t)n + (size_t)j]);
            if (!(size <= largest)) /* also NaN, which then stays */
                largest = size;
            if (isnan(largest))
                return largest;
        }
    }
    return largest;
}

bool kd_eigen_symmetric(int n, double *matrix, double *values, double *vectors, double *scratch)
{
    double scale = n > 0 ? largest_entry(n, matrix) : 0;
    if (!isfinite(scale))
        return false;
    if (n == 0)
        return true;
    /* Brought to 1, so that no square overflows. */
    for (size_t i = 0; i < (size_t)n * (size_t)n && scale > 0; i++)
        matrix[i] /= scale;
    struct tridiagonal t = {.n = n, .diagonal = values, .below = scratch, .vectors = vectors};
    reduce(&t, matrix, &scratch[n]);
    accumulate(&t, matrix, &scratch[2 * (size_t)n]);
    diagonalise(&t);
    sort_ascending(&t);
    for (int i = 0; i < n; i++) {
        values[i] *= scale > 0 ? scale : 1;
        fix_sign(n, &vectors[(size_t)i * (size_t)n]);
    }
    return true;
}
