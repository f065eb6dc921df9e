#include "tests/bench/search/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"

enum { EXACT_MAX = 50, REPLICATES = 2000, BOOTSTRAP_SEED = 20240614 };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double stats_mean(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return n > 0 ? sum / (double)n : NAN;
}

double stats_quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t below = (size_t)at;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

struct keyed {
    double value;
    size_t at;
};

static int by_value(const void *a_, const void *b_)
{
    const struct keyed *a = a_, *b = b_;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* The first index past the values that equal sorted[from]. */
static size_t end_of_tie(const struct keyed *sorted, size_t n, size_t from)
{
    size_t to = from + 1;
    while (to < n && sorted[to].value == sorted[from].value)
        to++;
    return to;
}

static struct keyed *sort(const double *values, size_t n)
{
    struct keyed *sorted = KD_NEW_ARRAY(struct keyed, n + 1);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct keyed){values[i], i};
    qsort(sorted, n, sizeof *sorted, by_value);
    return sorted;
}

void stats_ranks(const double *values, size_t n, double *ranks)
{
    struct keyed *sorted = sort(values, n);
    for (size_t from = 0, to; from < n; from = to) {
        to = end_of_tie(sorted, n, from);
        for (size_t i = from; i < to; i++)
            ranks[sorted[i].at] = ((double)from + 1 + (double)to) / 2;
    }
    free(sorted);
}

/* The sum of t^3 - t over the groups of t equal values. */
static double tie_correction(const double *values, size_t n)
{
    struct keyed *sorted = sort(values, n);
    double sum = 0;
    for (size_t from = 0, to; from < n; from = to) {
        to = end_of_tie(sorted, n, from);
        double size = (double)(to - from);
        sum += size * (size * size - 1);
    }
    free(sorted);
    return sum;
}

/* P(W <= w) twice: how many of the 2^n ways to sign the ranks 1 .. n have so small a sum. */
static double exact_p(double w, size_t n)
{
    size_t most = n * (n + 1) / 2;
    double *ways = KD_NEW_ARRAY(double, most + 1), below = 0;
    ways[0] = 1;
    for (size_t rank = 1; rank <= n; rank++) {
        for (size_t sum = most; sum >= rank; sum--)
            ways[sum] += ways[sum - rank];
    }
    for (size_t sum = 0; (double)sum <= w; sum++)
        below += ways[sum];
    free(ways);
    return fmin(1, 2 * below / pow(2, (double)n));
}

static double normal_p(double w, size_t n, double ties)
{
    double count = (double)n, mean = count * (count + 1) / 4;
    double variance = (count * (count + 1) * (2 * count + 1) - ties / 2) / 24;
    return variance > 0 ? erfc(fabs(w - mean) / sqrt(variance) / sqrt(2)) : 1;
}

double stats_wilcoxon(const double *differences, size_t n)
{
    double *sizes = KD_NEW_ARRAY(double, n + 1), *ranks = KD_NEW_ARRAY(double, n + 1);
    double up = 0, down = 0;
    size_t n_zeros = 0;
    for (size_t i = 0; i < n; i++)
        sizes[i] = fabs(differences[i]);
    stats_ranks(sizes, n, ranks);
    for (size_t i = 0; i < n; i++) {
        double share = differences[i] > 0 ? 1 : differences[i] < 0 ? 0 : 0.5;
        n_zeros += sizes[i] == 0;
        up += share * ranks[i];
        down += (1 - share) * ranks[i];
    }
    double ties = tie_correction(sizes, n), w = fmin(up, down), p = 1;
    if (n <= EXACT_MAX && n_zeros == 0 && ties == 0)
        p = exact_p(w, n);
    else if (n_zeros < n)
        p = normal_p(w, n, ties);
    free(sizes);
    free(ranks);
    return p;
}

void stats_holm(double *p, size_t n)
{
    struct keyed *sorted = sort(p, n);
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fmin(1, (double)(n - i) * sorted[i].value));
        p[sorted[i].at] = largest;
    }
    free(sorted);
}

/* b NULL: the mean of the groups' means of a; else the mean of the logarithms of their ratios. rng
 * NULL: as they are, not drawn. */
static double statistic(const struct stats_group *a, const struct stats_group *b, size_t n_groups,
                        struct kd_rng *rng)
{
    double sum = 0;
    for (size_t i = 0; i < n_groups; i++) {
        size_t group = rng ? kd_rng_below(rng, n_groups) : i, n = a[group].n;
        double mean_a = 0, mean_b = 0;
        for (size_t j = 0; j < n; j++) {
            size_t at = rng ? kd_rng_below(rng, n) : j;
            mean_a += a[group].values[at] / (double)n;
            mean_b += b ? b[group].values[at] / (double)n : 0;
        }
        sum += b ? log(mean_a / mean_b) : mean_a;
    }
    return sum / (double)n_groups;
}

static struct stats_interval bootstrap(const struct stats_group *a, const struct stats_group *b,
                                       size_t n_groups)
{
    double *replicates = KD_NEW_ARRAY(double, REPLICATES);
    for (size_t i = 0; i < REPLICATES; i++) {
        struct kd_rng rng = kd_rng_at(BOOTSTRAP_SEED, i);
        replicates[i] = statistic(a, b, n_groups, &rng);
    }
    qsort(replicates, REPLICATES, sizeof *replicates, ascending);
    struct stats_interval interval = {.estimate = statistic(a, b, n_groups, NULL),
                                      .low = stats_quantile(replicates, REPLICATES, 0.025),
                                      .high = stats_quantile(replicates, REPLICATES, 0.975)};
    free(replicates);
    return interval;
}

struct stats_interval stats_bootstrap(const struct stats_group *groups, size_t n_groups)
{
    return bootstrap(groups, NULL, n_groups);
}

struct stats_interval stats_bootstrap_ratio(const struct stats_group *a,
                                            const struct stats_group *b, size_t n_groups)
{
    struct stats_interval x = bootstrap(a, b, n_groups);
    return (struct stats_interval){exp(x.estimate), exp(x.low), exp(x.high)};
}
