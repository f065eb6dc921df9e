/* bbob.c - the functions themselves, f1 .. f24. Each gets z = x in `z` and a second vector of the
 * same length, and returns its value above the optimum; names and numbers are those of RR-6829. */
#include "tests/bench/search/bbob.h"

#include <math.h>
#include <string.h>

#include "tests/bench/search/bbob_vector.h"

static void shift(const struct bbob *b, double *z)
{
    for (int i = 0; i < b->dim; i++)
        z[i] -= b->at[i];
}

static double square_sum(const double *z, int n)
{
    return bbob_dot(z, z, n);
}

static double ellipsoid(const double *z, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += bbob_ladder(1e6, i, n) * z[i] * z[i];
    return sum;
}

static double rastrigin(const double *z, int n)
{
    double waves = 0;
    for (int i = 0; i < n; i++)
        waves += cos(2 * M_PI * z[i]);
    return 10 * (n - waves) + square_sum(z, n);
}

static double rosenbrock_term(const double *z)
{
    double a = z[0] * z[0] - z[1], b = z[0] - 1;
    return 100 * a * a + b * b;
}

static double rosenbrock(const double *z, int n)
{
    double sum = 0;
    for (int i = 0; i < n - 1; i++)
        sum += rosenbrock_term(&z[i]);
    return sum;
}

static double f1_sphere(const struct bbob *b, double *z, double *spare)
{
    (void)spare;
    shift(b, z);
    return square_sum(z, b->dim);
}

static double f2_ellipsoid_separable(const struct bbob *b, double *z, double *spare)
{
    (void)spare;
    shift(b, z);
    bbob_make_irregular(z, b->dim);
    return ellipsoid(z, b->dim);
}

static double f3_rastrigin_separable(const struct bbob *b, double *z, double *spare)
{
    (void)spare;
    shift(b, z);
    bbob_make_irregular(z, b->dim);
    bbob_make_asymmetric(0.2, z, b->dim);
    bbob_scale(sqrt(10), z, b->dim);
    return rastrigin(z, b->dim);
}

static double f4_bueche_rastrigin(const struct bbob *b, double *z, double *spare)
{
    (void)spare;
    shift(b, z);
    bbob_make_irregular(z, b->dim);
    for (int i = 0; i < b->dim; i += 2)
        z[i] *= z[i] > 0 ? 10 : 1;
    bbob_scale(sqrt(10), z, b->dim);
    return rastrigin(z, b->dim);
}

static double f5_linear_slope(const struct bbob *b, double *z, double *spare)
{
    (void)spare;
    double sum = 0;
    for (int i = 0; i < b->dim; i++) {
        double slope = -bbob_sign(b->at[i]) * bbob_ladder(10, i, b->dim);
        double inside = z[i] * b->at[i] > 25 ? bbob_sign(z[i]) * 5 : z[i];
        sum += 5 * fabs(slope) + slope * inside;
    }
    return sum;
}

static double f6_attractive_sector(const struct bbob *b, double *z, double *spare)
{
    shift(b, z);
    bbob_multiply(b->linear, z, spare, b->dim);
    for (int i = 0; i < b->dim; i++)
        z[i] *= z[i] * b->at[i] > 0 ? 100 : 1;
    return pow(bbob_irregular(square_sum(z, b->dim)), 0.9);
}

static double f7_step_ellipsoid(const struct bbob *b, double *z, double *spare)
{
    shift(b, z);
    bbob_multiply(b->linear, z, spare, b->dim);
    double first = fabs(z[0]), sum = 0;
    for (int i = 0; i < b->dim; i++)
        z[i] = fabs(z[i]) > 0.5 ? rint(z[i]) : rint(10 * z[i]) / 10;
    bbob_multiply(b->rotation, z, spare, b->dim);
    for (int i = 0; i < b->dim; i++)
        sum += bbob_ladder(100, i, b->dim) * z[i] * z[i];
    return 0.1 * fmax(1e-4 * first, sum);
}

static double f8_rosenbrock(const struct bbob *b, double *z, double *spare)
{
    (void)spare;
    shift(b, z);
    double scale = fmax(1, sqrt(b->dim) / 8);
    for (int i = 0; i < b->dim; i++)
        z[i] = scale * z[i] + 1;
    return rosenbrock(z, b->dim);
}

static void rotate_to_rosenbrock(const struct bbob *b, double *z, double *spare)
{
    bbob_multiply(b->linear, z, spare, b->dim);
    for (int i = 0; i < b->dim; i++)
        z[i] += 0.5;
}

static double f9_rosenbrock_rotated(const struct bbob *b, double *z, double *spare)
{
    rotate_to_rosenbrock(b, z, spare);
    return rosenbrock(z, b->dim);
}

static void turn_and_bend(const struct bbob *b, double *z, double *spare)
{
    shift(b, z);
    bbob_multiply(b->rotation, z, spare, b->dim);
    bbob_make_irregular(z, b->dim);
}

static double f10_ellipsoid(const struct bbob *b, double *z, double *spare)
{
    turn_and_bend(b, z, spare);
    return ellipsoid(z, b->dim);
}

static double f11_discus(const struct bbob *b, double *z, double *spare)
{
    turn_and_bend(b, z, spare);
    return square_sum(z, b->dim) + (1e6 - 1) * z[0] * z[0];
}

static double f12_bent_cigar(const struct bbob *b, double *z, double *spare)
{
    shift(b, z);
    bbob_multiply(b->rotation, z, spare, b->dim);
    bbob_make_asymmetric(0.5, z, b->dim);
    bbob_multiply(b->rotation, z, spare, b->dim);
    return z[0] * z[0] + 1e6 * square_sum(&z[1], b->dim - 1);
}

static double f13_sharp_ridge(const struct bbob *b, double *z, double *spare)
{
    shift(b, z);
    bbob_multiply(b->linear, z, spare, b->dim);
    return z[0] * z[0] + 100 * sqrt(square_sum(&z[1], b->dim - 1));
}

static double f14_different_powers(const struct bbob *b, double *z, double *spare)
{
    shift(b, z);
    bbob_multiply(b->rotation, z, spare, b->dim);
    double sum = 0;
    for (int i = 0; i < b->dim; i++)
        sum += pow(fabs(z[i]), 2 + 4 * bbob_place(i, b->dim));
    return sqrt(sum);
}

static double f15_rastrigin(const struct bbob *b, double *z, double *spare)
{
    turn_and_bend(b, z, spare);
    bbob_make_asymmetric(0.2, z, b->dim);
    bbob_multiply(b->linear, z, spare, b->dim);
    return rastrigin(z, b->dim);
}

/* sum over k < 12 of cos(2 pi 3^k (z + 1/2)) / 2^k */
static double weierstrass_term(double z)
{
    double sum = 0, size = 1, frequency = 1;
    for (int k = 0; k < 12; k++) {
        sum += size * cos(2 * M_PI * frequency * (z + 0.5));
        size /= 2;
        frequency *= 3;
    }
    return sum;
}

static double f16_weierstrass(const struct bbob *b, double *z, double *spare)
{
    turn_and_bend(b, z, spare);
    bbob_multiply(b->linear, z, spare, b->dim);
    double sum = 0;
    for (int i = 0; i < b->dim; i++)
        sum += weierstrass_term(z[i]);
    double above = sum / b->dim - weierstrass_term(0);
    return 10 * above * above * above;
}

/* f17 and f18 differ in the condition of `linear`. */
static double f17_schaffers(const struct bbob *b, double *z, double *spare)
{
    shift(b, z);
    bbob_multiply(b->rotation, z, spare, b->dim);
    bbob_make_asymmetric(0.5, z, b->dim);
    bbob_multiply(b->linear, z, spare, b->dim);
    double sum = 0;
    for (int i = 0; i < b->dim - 1; i++) {
        double s = z[i] * z[i] + z[i + 1] * z[i + 1], wave = sin(50 * pow(s, 0.1));
        sum += pow(s, 0.25) * (wave * wave + 1);
    }
    double mean = sum / (b->dim - 1);
    return mean * mean;
}

static double f19_griewank_rosenbrock(const struct bbob *b, double *z, double *spare)
{
    rotate_to_rosenbrock(b, z, spare);
    double sum = 0;
    for (int i = 0; i < b->dim - 1; i++) {
        double s = rosenbrock_term(&z[i]);
        sum += s / 4000 - cos(s);
    }
    return 10 + 10 * sum / (b->dim - 1);
}

static double f20_schwefel(const struct bbob *b, double *z, double *spare)
{
    int n = b->dim;
    double *doubled = spare, sum = 0, penalty = 0;
    for (int i = 0; i < n; i++)
        doubled[i] = 2 * bbob_sign(b->at[i]) * z[i];
    for (int i = 0; i < n; i++) {
        double optimum = 2 * fabs(b->at[i]), before = i > 0 ? 2 * fabs(b->at[i - 1]) : 0;
        double tied = i > 0 ? doubled[i] + 0.25 * (doubled[i - 1] - before) : doubled[i];
        double x = 100 * (bbob_ladder(sqrt(10), i, n) * (tied - optimum) + optimum);
        double outside = fmax(0, fabs(x) - 500);
        sum += x * sin(sqrt(fabs(x)));
        penalty += outside * outside;
    }
    return 0.01 * (418.9828872724339 - sum / n) + 0.01 * penalty;
}

static double f21_gallagher(const struct bbob *b, double *z, double *spare)
{
    int n = b->dim;
    double highest = 0;
    bbob_multiply(b->rotation, z, spare, n);
    for (int peak = 0; peak < b->n_peaks; peak++) {
        const double *centre = &b->centres[peak * n], *width = &b->widths[peak * n];
        double distance = 0;
        for (int i = 0; i < n; i++)
            distance += width[i] * (z[i] - centre[i]) * (z[i] - centre[i]);
        highest = fmax(highest, b->heights[peak] * exp(-0.5 / n * distance));
    }
    double above = bbob_irregular(10 - highest);
    return above * above;
}

static double f23_katsuura(const struct bbob *b, double *z, double *spare)
{
    int n = b->dim;
    shift(b, z);
    bbob_multiply(b->linear, z, spare, n);
    double product = 1;
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 1; k <= 32; k++) {
            double zoomed = ldexp(z[i], k);
            sum += ldexp(fabs(zoomed - rint(zoomed)), -k);
        }
        product *= 1 + (i + 1) * sum;
    }
    double squared = (double)n * n;
    return 10 / squared * (pow(product, 10 / pow(n, 1.2)) - 1);
}

static double f24_lunacek(const struct bbob *b, double *z, double *spare)
{
    int n = b->dim;
    double near = 2.5, s = 1 - 0.5 / (sqrt(n + 20) - 4.1), far = -sqrt((near * near - 1) / s);
    double to_near = 0, to_far = 0, waves = 0;
    for (int i = 0; i < n; i++) {
        double x = 2 * bbob_sign(b->at[i]) * z[i];
        to_near += (x - near) * (x - near);
        to_far += (x - far) * (x - far);
        z[i] = x - near;
    }
    bbob_multiply(b->linear, z, spare, n);
    for (int i = 0; i < n; i++)
        waves += cos(2 * M_PI * z[i]);
    return fmin(to_near, n + s * to_far) + 10 * (n - waves);
}

/* penalty: what the squared distance from the domain counts; f20 has its own, f16's is divided by
 * the dimension. */
static const struct {
    double (*above)(const struct bbob *, double *z, double *spare);
    double penalty;
} functions[BBOB_FUNCTIONS + 1] = {
    [1] = {f1_sphere, 0},
    [2] = {f2_ellipsoid_separable, 0},
    [3] = {f3_rastrigin_separable, 0},
    [4] = {f4_bueche_rastrigin, 100},
    [5] = {f5_linear_slope, 0},
    [6] = {f6_attractive_sector, 0},
    [7] = {f7_step_ellipsoid, 1},
    [8] = {f8_rosenbrock, 0},
    [9] = {f9_rosenbrock_rotated, 0},
    [10] = {f10_ellipsoid, 0},
    [11] = {f11_discus, 0},
    [12] = {f12_bent_cigar, 0},
    [13] = {f13_sharp_ridge, 0},
    [14] = {f14_different_powers, 0},
    [15] = {f15_rastrigin, 0},
    [16] = {f16_weierstrass, 10},
    [17] = {f17_schaffers, 10},
    [18] = {f17_schaffers, 10},
    [19] = {f19_griewank_rosenbrock, 0},
    [20] = {f20_schwefel, 0},
    [21] = {f21_gallagher, 1},
    [22] = {f21_gallagher, 1},
    [23] = {f23_katsuura, 1},
    [24] = {f24_lunacek, 1e4},
};

static double penalty(const struct bbob *b, const double *x)
{
    double factor = functions[b->function].penalty, sum = 0;
    if (b->function == 16)
        factor /= b->dim;
    for (int i = 0; i < b->dim; i++) {
        double outside = fmax(0, fabs(x[i]) - 5);
        sum += outside * outside;
    }
    return factor * sum;
}

double bbob_evaluate(const struct bbob *b, const double *x)
{
    double *z = b->scratch, *spare = &b->scratch[b->dim];
    memcpy(z, x, (size_t)b->dim * sizeof *z);
    return functions[b->function].above(b, z, spare) + penalty(b, x) + b->optimum;
}
