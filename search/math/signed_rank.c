#include "search/math/signed_rank.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/math/special.h"

enum { MOST_EXACT = 50, MOST_SUM = MOST_EXACT * (MOST_EXACT + 1) / 2 };

struct difference {
    double size;
    int sign;
};

struct statistic {
    double above;    /* sum of the ranks of the positive differences, half of those of zeros */
    double variance; /* of it, times 24 */
    bool has_ties;   /* or zeros */
};

static int by_size(const void *a, const void *b)
{
    const struct difference *x = a, *y = b;
    int order = (x->size > y->size) - (x->size < y->size);
    return order != 0 ? order : x->sign - y->sign;
}

static struct difference *sort_differences(const double *differences, int n)
{
    struct difference *sorted = KD_NEW_ARRAY(struct difference, (size_t)n);
    for (int i = 0; i < n; i++) {
        double d = differences[i];
        sorted[i] = (struct difference){.size = fabs(d), .sign = (d > 0) - (d < 0)};
    }
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    return sorted;
}

/* Variance: (n (n + 1) (2n + 1) - sum of (t^3 - t) / 2) / 24 for groups of t ties, the zeros being
 * one of them. */
static struct statistic rank_differences(const struct difference *sorted, int n)
{
    double count = n;
    struct statistic statistic = {.variance = count * (count + 1) * (2 * count + 1)};
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end].size == sorted[i].size;)
            end++;
        double ties = end - i, rank = 0.5 * (i + 1 + end);
        bool is_zero = sorted[i].size == 0;
        for (int j = i; j < end; j++)
            statistic.above += is_zero ? 0.5 * rank : sorted[j].sign > 0 ? rank : 0;
        statistic.variance -= 0.5 * (ties * ties * ties - ties);
        statistic.has_ties |= is_zero || ties > 1;
    }
    return statistic;
}

/* The share of the 2^n sign patterns whose sum of ranks is at most `sum`: counted by adding one
 * rank after the other. Counts stay below 2^53 and are exact. */
static double share_up_to(int n, int sum)
{
    double counts[MOST_SUM + 1] = {1}, total = 0, patterns = 1;
    for (int rank = 1; rank <= n; rank++) {
        for (int i = sum; i >= rank; i--)
            counts[i] += counts[i - rank];
        patterns *= 2;
    }
    for (int i = 0; i <= sum; i++)
        total += counts[i];
    return total / patterns;
}

/* By symmetry: at least `above` is as likely as at most the rest. */
static double exact_p(int n, int above)
{
    int rest = n * (n + 1) / 2 - above;
    return rest < above ? share_up_to(n, rest) : above > 0 ? 1 - share_up_to(n, above - 1) : 1;
}

double kd_signed_rank_p(const double *differences, int n)
{
    if (n < 1)
        return 1;
    struct difference *sorted = sort_differences(differences, n);
    struct statistic statistic = rank_differences(sorted, n);
    free(sorted);
    if (n <= MOST_EXACT && !statistic.has_ties)
        return exact_p(n, (int)statistic.above);
    if (statistic.variance <= 0)
        return 1;
    double mean = 0.25 * n * (n + 1.0);
    return kd_normal_cdf((mean - statistic.above) / sqrt(statistic.variance / 24));
}
