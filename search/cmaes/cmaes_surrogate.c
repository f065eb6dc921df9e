#include "search/cmaes/cmaes_surrogate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/math/linalg.h"

/* Points per coefficient; the weight of the worst beside the best; what keeps the normal equations
 * regular; which values are left out, in distances of the median from the best: a diverged run must
 * not flatten all others. */
#define POINTS_PER_TERM 2
#define WORST_WEIGHT    0.05
#define RIDGE           1e-7
#define CUT_OFF         100

struct sample {
    double distance, value;
    int at; /* row of the points */
};

void kd_cma_surrogate_init(struct kd_cma_surrogate *surrogate, int d)
{
    size_t n = (size_t)d;
    *surrogate = (struct kd_cma_surrogate){.d = d};
    surrogate->slope = KD_NEW_ARRAY(double, n + 1);
    surrogate->curve = KD_NEW_ARRAY(double, n *n + 1);
    surrogate->minimum = KD_NEW_ARRAY(double, n + 1);
    surrogate->scratch = KD_NEW_ARRAY(double, n *n + 1);
}

void kd_cma_surrogate_release(struct kd_cma_surrogate *surrogate)
{
    free(surrogate->slope);
    free(surrogate->curve);
    free(surrogate->minimum);
    free(surrogate->scratch);
    *surrogate = (struct kd_cma_surrogate){0};
}

/* 1, z, z^2 / 2, and the mixed terms when there is room for them. */
static void fill_terms(int d, int n_terms, const double *z, double *terms)
{
    *terms++ = 1;
    memcpy(terms, z, (size_t)d * sizeof *z);
    terms += d;
    for (int i = 0; i < d; i++)
        *terms++ = z[i] * z[i] / 2;
    for (int i = 0; i < d && n_terms > 2 * d + 1; i++) {
        for (int j = 0; j < i; j++)
            *terms++ = z[i] * z[j];
    }
}

/* Coefficients that n points allow; 0 = none. */
static int count_terms(int d, int n)
{
    int diagonal = 2 * d + 1, full = diagonal + d * (d - 1) / 2;
    if (d <= KD_SURROGATE_FULL && n >= full)
        return full;
    return d <= KD_SURROGATE_MOST && n >= diagonal ? diagonal : 0;
}

static int by_distance(const void *a_, const void *b_)
{
    const struct sample *a = a_, *b = b_;
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static int by_value(const void *a_, const void *b_)
{
    const struct sample *a = a_, *b = b_;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* The nearest points, best first, at most as many as asked for; returns how many. */
static int choose(const struct kd_cma_surrogate *surrogate, int n, const double *points,
                  const double *values, int most, struct sample *samples)
{
    int d = surrogate->d;
    for (int i = 0; i < n; i++) {
        const double *z = &points[(size_t)i * (size_t)d];
        samples[i] = (struct sample){kd_dot(z, z, d), values[i], i};
    }
    qsort(samples, (size_t)n, sizeof *samples, by_distance);
    n = n < most ? n : most;
    qsort(samples, (size_t)n, sizeof *samples, by_value);
    return n;
}

/* Leaves out the worst ones that are off the scale, while there are enough; returns how many are
 * left. Values then go from 0 to 1. 0 when they do not differ, or too much. */
static int scale_values(int n, int n_terms, struct sample *samples)
{
    double best = samples[0].value, middle = CUT_OFF * (samples[n / 2].value - best);
    while (n > n_terms && middle > 0 && samples[n - 1].value - best > middle)
        n--;
    double range = samples[n - 1].value - best;
    if (!(range > 0) || !isfinite(range))
        return 0;
    for (int i = 0; i < n; i++)
        samples[i].value = (samples[i].value - best) / range;
    return n;
}

static double weight_of(int k, int n)
{
    return n > 1 ? 1 - (1 - WORST_WEIGHT) * k / (n - 1) : 1;
}

/* The normal equations, lower triangle; terms: n rows. */
static void gather(int n, int n_terms, const double *terms, double *matrix)
{
    double trace = 0;
    for (int k = 0; k < n; k++) {
        const double *at = &terms[(size_t)k * (size_t)n_terms];
        for (int i = 0; i < n_terms; i++) {
            double *row = &matrix[(size_t)i * (size_t)n_terms], factor = weight_of(k, n) * at[i];
            for (int j = 0; j <= i; j++)
                row[j] += factor * at[j];
        }
    }
    for (int i = 0; i < n_terms; i++)
        trace += matrix[(size_t)i * (size_t)n_terms + (size_t)i];
    for (int i = 0; i < n_terms; i++)
        matrix[(size_t)i * (size_t)n_terms + (size_t)i] += RIDGE * trace / n_terms;
}

/* The coefficients for the samples' values; returns the share of their weighted variance that is
 * left over. */
static double regress(int n, int n_terms, const double *terms, const double *factor,
                      const struct sample *samples, double *out)
{
    double sum = 0, squares = 0, weights = 0, left = 0;
    memset(out, 0, (size_t)n_terms * sizeof *out);
    for (int k = 0; k < n; k++) {
        double weight = weight_of(k, n), value = samples[k].value;
        for (int i = 0; i < n_terms; i++)
            out[i] += weight * value * terms[(size_t)k * (size_t)n_terms + (size_t)i];
        weights += weight, sum += weight * value, squares += weight * value * value;
    }
    kd_cholesky_solve(factor, n_terms, n_terms, out);
    for (int k = 0; k < n; k++) {
        double off = samples[k].value - kd_dot(&terms[(size_t)k * (size_t)n_terms], out, n_terms);
        left += weight_of(k, n) * off * off;
    }
    return left / (squares - sum * sum / weights);
}

/* CMA-ES sees ranks only, a quadratic sees values: of the values, their roots and fourth roots
 * those are taken that it explains best. best: n_terms coefficients. */
static void regress_best(int n, int n_terms, const double *terms, const double *factor,
                         struct sample *samples, double *best)
{
    enum { POWERS = 3 };
    double *other = KD_NEW_ARRAY(double, (size_t)n_terms);
    double least = regress(n, n_terms, terms, factor, samples, best);
    for (int power = 1; power < POWERS; power++) {
        for (int k = 0; k < n; k++)
            samples[k].value = sqrt(samples[k].value);
        double left = regress(n, n_terms, terms, factor, samples, other);
        if (!(left < least))
            continue;
        least = left;
        memcpy(best, other, (size_t)n_terms * sizeof *best);
    }
    free(other);
}

static void take_terms(struct kd_cma_surrogate *surrogate, int n_terms, const double *terms)
{
    size_t d = (size_t)surrogate->d;
    surrogate->constant = *terms++;
    memcpy(surrogate->slope, terms, d * sizeof *terms);
    terms += d;
    memset(surrogate->curve, 0, d * d * sizeof *terms);
    for (size_t i = 0; i < d; i++)
        surrogate->curve[i * d + i] = *terms++;
    for (size_t i = 0; i < d && n_terms > 2 * surrogate->d + 1; i++) {
        for (size_t j = 0; j < i; j++)
            surrogate->curve[i * d + j] = surrogate->curve[j * d + i] = *terms++;
    }
}

/* z = -(curve + lift I)^-1 slope; false when that is no minimum, or farther away than `most`. */
static bool minimise(struct kd_cma_surrogate *surrogate, double lift, double most)
{
    size_t d = (size_t)surrogate->d;
    double *factor = surrogate->scratch, *z = surrogate->minimum;
    memcpy(factor, surrogate->curve, d * d * sizeof *factor);
    for (size_t i = 0; i < d; i++)
        factor[i * d + i] += lift;
    if (!kd_cholesky_factor(factor, surrogate->d, surrogate->d))
        return false;
    for (size_t i = 0; i < d; i++)
        z[i] = -surrogate->slope[i];
    kd_cholesky_solve(factor, surrogate->d, surrogate->d, z);
    return kd_dot(z, z, surrogate->d) <= most * most;
}

/* Lifts the curve until its minimum is near enough. */
static void find_minimum(struct kd_cma_surrogate *surrogate)
{
    enum { TRIES = 60 };
    int d = surrogate->d;
    double most = sqrt(d) + 2.0 * d / (d + 2);
    double size = sqrt(kd_dot(surrogate->curve, surrogate->curve, d * d)) +
                  sqrt(kd_dot(surrogate->slope, surrogate->slope, d));
    surrogate->has_minimum = minimise(surrogate, 0, most);
    double lift = 1e-6 * size;
    for (int i = 0; i < TRIES && size > 0 && !surrogate->has_minimum; i++, lift *= 2)
        surrogate->has_minimum = minimise(surrogate, lift, most);
}

void kd_cma_surrogate_fit(struct kd_cma_surrogate *surrogate, int n, const double *points,
                          const double *values)
{
    int n_terms = count_terms(surrogate->d, n);
    surrogate->has_model = surrogate->has_minimum = false;
    if (n_terms == 0)
        return;
    size_t size = (size_t)n_terms;
    struct sample *samples = KD_NEW_ARRAY(struct sample, (size_t)n);
    n = choose(surrogate, n, points, values, POINTS_PER_TERM * n_terms, samples);
    n = scale_values(n, n_terms, samples);
    double *matrix = KD_NEW_ARRAY(double, size *(size + (size_t)n + 1));
    double *best = &matrix[size * size], *terms = &best[size];
    for (int k = 0; k < n; k++)
        fill_terms(surrogate->d, n_terms, &points[(size_t)samples[k].at * (size_t)surrogate->d],
                   &terms[(size_t)k * size]);
    gather(n, n_terms, terms, matrix);
    surrogate->has_model = n > 0 && kd_cholesky_factor(matrix, n_terms, n_terms);
    if (surrogate->has_model) {
        regress_best(n, n_terms, terms, matrix, samples, best);
        take_terms(surrogate, n_terms, best);
        find_minimum(surrogate);
    }
    free(samples);
    free(matrix);
}

double kd_cma_surrogate_value(const struct kd_cma_surrogate *surrogate, const double *z)
{
    int d = surrogate->d;
    double sum = surrogate->constant;
    for (int i = 0; i < d; i++) {
        double along = kd_dot(&surrogate->curve[(size_t)i * (size_t)d], z, d);
        sum += z[i] * (surrogate->slope[i] + along / 2);
    }
    return sum;
}

void kd_cma_surrogate_judge(struct kd_cma_surrogate *surrogate, int n, const double *points)
{
    double agree = 0, n_pairs = (double)n * (n - 1) / 2;
    if (!surrogate->has_model || n_pairs == 0)
        return;
    double *values = KD_NEW_ARRAY(double, (size_t)n);
    for (int i = 0; i < n; i++) {
        values[i] = kd_cma_surrogate_value(surrogate, &points[(size_t)i * (size_t)surrogate->d]);
        for (int j = 0; j < i; j++)
            agree += values[j] < values[i] ? 1 : -1;
    }
    free(values);
    surrogate->trust = surrogate->trust / 2 + agree / n_pairs / 2;
}

int kd_cma_surrogate_draws(const struct kd_cma_surrogate *surrogate)
{
    enum { MOST = 4 };
    double part = (surrogate->trust - 0.2) / 0.6; /* 1 up to 0.2, all from 0.8 */
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return surrogate->has_model ? 1 + (int)floor(part * (MOST - 1) + 0.5) : 1;
}
