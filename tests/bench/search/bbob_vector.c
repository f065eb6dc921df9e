#include "tests/bench/search/bbob_vector.h"

#include <math.h>
#include <string.h>

double bbob_place(int i, int n)
{
    return (double)i / (double)(n - 1);
}

double bbob_ladder(double base, int i, int n)
{
    return pow(base, bbob_place(i, n));
}

double bbob_irregular(double x)
{
    if (x == 0)
        return 0;
    double log_x = log(fabs(x)) / 0.1;
    double wave = x > 0 ? sin(log_x) + sin(0.79 * log_x) : sin(0.55 * log_x) + sin(0.31 * log_x);
    return copysign(pow(exp(log_x + 0.49 * wave), 0.1), x);
}

void bbob_make_irregular(double *z, int n)
{
    for (int i = 0; i < n; i++)
        z[i] = bbob_irregular(z[i]);
}

void bbob_make_asymmetric(double beta, double *z, int n)
{
    for (int i = 0; i < n; i++) {
        if (z[i] > 0)
            z[i] = pow(z[i], 1 + beta * bbob_place(i, n) * sqrt(z[i]));
    }
}

void bbob_scale(double base, double *z, int n)
{
    for (int i = 0; i < n; i++)
        z[i] *= bbob_ladder(base, i, n);
}

void bbob_multiply(const double *m, double *z, double *product, int n)
{
    memset(product, 0, (size_t)n * sizeof *product);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            product[j] += z[i] * m[i * n + j];
    }
    memcpy(z, product, (size_t)n * sizeof *z);
}

double bbob_dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

double bbob_sign(double x)
{
    return (x > 0) - (x < 0);
}
