/* linalg.c - the loops are written over pairs of doubles, which every 64-bit processor multiplies
 * at once; compilers may not pair up sums of their own accord, because that would change the order.
 * Four pairs are eight lanes. */
#include "search/math/linalg.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "search/math/special.h"

typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));

enum { PAIRS = KD_LANES / 2 };

static inline pair both(double x)
{
    return (pair){x, x};
}

double kd_dot(const double *a, const double *b, int n)
{
    pair sum[PAIRS] = {{0}};
    int i = 0;
    for (; i + KD_LANES <= n; i += KD_LANES) {
        const pair *p = (const pair *)(a + i), *q = (const pair *)(b + i);
        for (int k = 0; k < PAIRS; k++)
            sum[k] += p[k] * q[k];
    }
    double rest = 0;
    for (; i < n; i++)
        rest += a[i] * b[i];
    pair all = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    return rest + (all[0] + all[1]);
}

void kd_dot_lanes(const double *a_, const double *b_, int n, double *sums)
{
    const pair *a = (const pair *)a_, *b = (const pair *)b_;
    pair s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    for (int i = 0; i < n; i++, a += PAIRS, b += PAIRS) {
        s0 += a[0] * b[0];
        s1 += a[1] * b[1];
        s2 += a[2] * b[2];
        s3 += a[3] * b[3];
    }
    pair *out = (pair *)sums;
    out[0] = s0, out[1] = s1, out[2] = s2, out[3] = s3;
}

void kd_dot_shared(const double *a, const double *b_, int n, double *sums)
{
    const pair *b = (const pair *)b_;
    pair s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    for (int i = 0; i < n; i++, b += PAIRS) {
        pair c = both(a[i]);
        s0 += c * b[0];
        s1 += c * b[1];
        s2 += c * b[2];
        s3 += c * b[3];
    }
    pair *out = (pair *)sums;
    out[0] = s0, out[1] = s1, out[2] = s2, out[3] = s3;
}

/* x[n] -= sum of row[k] x[k], k < n: one step of the forward substitution. */
static inline void eliminate(const double *row, int n, pair *x)
{
    pair *to = x + (ptrdiff_t)n * PAIRS;
    pair s0 = to[0], s1 = to[1], s2 = to[2], s3 = to[3];
    for (int k = 0; k < n; k++, x += PAIRS) {
        pair c = both(row[k]);
        s0 -= c * x[0];
        s1 -= c * x[1];
        s2 -= c * x[2];
        s3 -= c * x[3];
    }
    to[0] = s0, to[1] = s1, to[2] = s2, to[3] = s3;
}

static inline void scale(pair *x, double by)
{
    for (int k = 0; k < PAIRS; k++)
        x[k] *= both(by);
}

void kd_cholesky_forward_lanes(const double *l, int stride, int n, double *x_)
{
    pair *x = (pair *)x_;
    for (int i = 0; i < n; i++, l += stride) {
        eliminate(l, i, x);
        scale(&x[(ptrdiff_t)i * PAIRS], 1 / l[i]);
    }
}

void kd_cholesky_backward_lanes(const double *l, int stride, int n, double *x_)
{
    pair *x = (pair *)x_;
    for (int i = n - 1; i >= 0; i--) {
        const double *row = l + (ptrdiff_t)i * stride;
        pair *at = &x[(ptrdiff_t)i * PAIRS], *to = x;
        scale(at, 1 / row[i]);
        pair a0 = at[0], a1 = at[1], a2 = at[2], a3 = at[3];
        for (int k = 0; k < i; k++, to += PAIRS) {
            pair c = both(row[k]);
            to[0] -= c * a0;
            to[1] -= c * a1;
            to[2] -= c * a2;
            to[3] -= c * a3;
        }
    }
}

/* Rows first .. first + n_rows-1 of the matrix as lanes, columns 0 .. first + n_rows-1; what is
 * missing is 0. */
static void gather(const double *a, int stride, int first, int n_rows, double *lanes)
{
    memset(lanes, 0, (size_t)(first + n_rows) * KD_LANES * sizeof *lanes);
    for (int lane = 0; lane < n_rows; lane++) {
        const double *row = a + (ptrdiff_t)(first + lane) * stride;
        for (int j = 0; j <= first + lane; j++)
            lanes[j * KD_LANES + lane] = row[j];
    }
}

static double pivot(double reduced, double diagonal)
{
    double least = 1e-14 * diagonal;
    return sqrt(reduced > least ? reduced : least);
}

/* The corner where the block meets itself: column after column, each as if it were a row of the
 * forward step. */
static void factor_corner(double *a, int stride, int first, int n_rows, double *lanes)
{
    for (int c = 0; c < n_rows; c++) {
        int j = first + c;
        double *row = a + (ptrdiff_t)j * stride, *column = &lanes[j * KD_LANES];
        eliminate(row, j, (pair *)lanes);
        row[j] = pivot(column[c], row[j]);
        scale((pair *)column, 1 / row[j]);
        for (int lane = c + 1; lane < n_rows; lane++)
            a[(ptrdiff_t)(first + lane) * stride + j] = column[lane];
    }
}

void kd_cholesky_extend(double *a, int stride, int from, int n, double *work)
{
    for (int first = from; first < n; first += KD_LANES) {
        int n_rows = n - first < KD_LANES ? n - first : KD_LANES;
        gather(a, stride, first, n_rows, work);
        kd_cholesky_forward_lanes(a, stride, first, work);
        for (int lane = 0; lane < n_rows; lane++) {
            double *row = a + (ptrdiff_t)(first + lane) * stride;
            for (int j = 0; j < first; j++)
                row[j] = work[j * KD_LANES + lane];
        }
        factor_corner(a, stride, first, n_rows, work);
    }
}

bool kd_cholesky_factor(double *a, int stride, int n)
{
    for (int i = 0; i < n; i++) {
        double *row = &a[(size_t)i * (size_t)stride];
        for (int j = 0; j < i; j++) {
            const double *other = &a[(size_t)j * (size_t)stride];
            row[j] = (row[j] - kd_dot(row, other, j)) / other[j];
        }
        double rest = row[i] - kd_dot(row, row, i);
        if (!(rest > 0))
            return false;
        row[i] = sqrt(rest);
    }
    return true;
}

void kd_cholesky_solve(const double *l, int stride, int n, double *x)
{
    kd_cholesky_forward(l, stride, n, x);
    kd_cholesky_backward(l, stride, n, x);
}

void kd_cholesky_forward(const double *l, int stride, int n, double *x)
{
    for (int i = 0; i < n; i++, l += stride)
        x[i] = (x[i] - kd_dot(l, x, i)) / l[i];
}

void kd_cholesky_backward(const double *l, int stride, int n, double *x)
{
    for (int i = n - 1; i >= 0; i--) {
        const double *row = l + (ptrdiff_t)i * stride;
        x[i] /= row[i];
        for (int k = 0; k < i; k++)
            x[k] -= row[k] * x[i];
    }
}

/* Columns of the inverse, eight at a time: L'^-1 L^-1 e. Above its own row a column of L^-1 is 0,
 * and of the inverse only what lies below is wanted, so each block works in the corner that begins
 * at its row. */
void kd_cholesky_invert(const double *l, int stride, int n, double *inverse, double *work)
{
    for (int first = 0; first < n; first += KD_LANES) {
        int n_rows = n - first, n_lanes = n_rows < KD_LANES ? n_rows : KD_LANES;
        const double *corner = l + (ptrdiff_t)first * stride + first;
        memset(work, 0, (size_t)n_rows * KD_LANES * sizeof *work);
        for (int lane = 0; lane < n_lanes; lane++)
            work[lane * KD_LANES + lane] = 1;
        kd_cholesky_forward_lanes(corner, stride, n_rows, work);
        kd_cholesky_backward_lanes(corner, stride, n_rows, work);
        for (int i = 0; i < n_rows; i++) {
            double *row = inverse + (ptrdiff_t)(first + i) * stride + first;
            for (int lane = 0; lane < n_lanes && lane <= i; lane++)
                row[lane] = work[i * KD_LANES + lane];
        }
    }
}

double kd_cholesky_half_log_det(const double *l, int stride, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += kd_ln(l[(ptrdiff_t)i * stride + i]);
    return sum;
}
