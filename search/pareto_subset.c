/* pareto_subset.c - the few of a front that cover the most hypervolume, and the best few of all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/error.h"
#include "coordinator/base/mem.h"
#include "search/math/hypervolume.h"
#include "search/pareto.h"

void kd_pareto_reference(const struct kd_costs *costs, double *reference)
{
    for (int k = 0; k < costs->m; k++) {
        double worst = -INFINITY;
        for (int i = 0; i < costs->n; i++) {
            double value = costs->rows[i * costs->m + k];
            worst = value > worst ? value : worst;
        }
        double far = 1.1 * worst, near = 0.9 * worst;
        reference[k] = far > near ? far : near;
        if (reference[k] == 0)
            reference[k] = 1e-12;
    }
}

/* The rows without repeats, the first of each kind, in lexicographic order; after them the repeats
 * by index. */
static int *unique_first(const struct kd_costs *costs, int *n_unique)
{
    int *order = KD_NEW_ARRAY(int, (size_t)costs->n + 1), n = 0, m = costs->m;
    bool *is_repeat = KD_NEW_ARRAY(bool, (size_t)costs->n + 1);
    kd_pareto_sort(costs, order);
    for (int i = 0; i < costs->n; i++) {
        const double *row = &costs->rows[order[i] * m];
        const double *last = n > 0 ? &costs->rows[order[n - 1] * m] : NULL;
        bool repeats = last != NULL;
        for (int k = 0; k < m && repeats; k++)
            repeats = row[k] == last[k];
        is_repeat[order[i]] = repeats;
        if (!repeats)
            order[n++] = order[i];
    }
    *n_unique = n;
    for (int i = 0; i < costs->n; i++) {
        if (is_repeat[i])
            order[n++] = i;
    }
    free(is_repeat);
    return order;
}

/* What the greedy choice has in hand: candidates in lexicographic order, and the rows chosen so
 * far. */
struct greedy {
    int n, m, n_chosen;
    const double **rows;     /* of the candidates */
    const double *reference; /* m */
    bool *is_chosen;
    double
        *gains; /* what a candidate would add; an upper bound while it is older than the choice */
    int *ages;  /* n_chosen when the gain was computed */
    double *chosen;       /* rows */
    double *shared;       /* scratch: what a candidate and each chosen row both cover */
    double (*corners)[2]; /* two objectives: the upper corner of what a candidate would add */
};

/* The first of the largest gains; one that is not a number (an infinity less an infinity) loses to
 * any. */
static int best_gain(const struct greedy *greedy)
{
    int best = -1;
    for (int i = 0; i < greedy->n; i++) {
        if (greedy->is_chosen[i])
            continue;
        if (best < 0 || greedy->gains[i] > greedy->gains[best] ||
            (isnan(greedy->gains[best]) && !isnan(greedy->gains[i])))
            best = i;
    }
    return best;
}

static double alone(const struct greedy *greedy, int i)
{
    double volume = 1;
    for (int k = 0; k < greedy->m; k++)
        volume *= greedy->reference[k] - greedy->rows[i][k];
    return volume;
}

/* What a candidate covers and no chosen row does. */
static double gain_of(struct greedy *greedy, int i)
{
    int m = greedy->m;
    double own = alone(greedy, i);
    if (isinf(own))
        return own;
    for (int j = 0; j < greedy->n_chosen; j++) {
        for (int k = 0; k < m; k++) {
            double a = greedy->rows[i][k], b = greedy->chosen[j * m + k];
            greedy->shared[j * m + k] = a > b ? a : b;
        }
    }
    return own - kd_hypervolume(greedy->shared, greedy->n_chosen, m, greedy->reference);
}

/* A gain only falls while the set grows, so the largest is found when it is up to date. */
static int next_of_many(struct greedy *greedy)
{
    int best = best_gain(greedy);
    while (greedy->ages[best] < greedy->n_chosen) {
        greedy->gains[best] = gain_of(greedy, best);
        greedy->ages[best] = greedy->n_chosen;
        best = best_gain(greedy);
    }
    return best;
}

/* With two objectives a gain is one rectangle, whose upper corner a choice moves: the candidates
 * before it, which are better in the first objective, now end there in the first, and those after
 * it in the second. */
static void cut_corners(struct greedy *greedy, int chosen)
{
    const double *row = greedy->rows[chosen];
    for (int i = 0; i < greedy->n; i++) {
        double *corner = greedy->corners[i];
        int k = i < chosen ? 0 : 1;
        corner[k] = row[k] < corner[k] ? row[k] : corner[k];
        greedy->gains[i] = (corner[0] - greedy->rows[i][0]) * (corner[1] - greedy->rows[i][1]);
    }
}

/* What the newest row shares with a candidate is no gain, whatever else was chosen: a bound that
 * costs little. */
static void bound_gains(struct greedy *greedy, const double *newest)
{
    for (int i = 0; i < greedy->n; i++) {
        double both = 1;
        for (int k = 0; k < greedy->m; k++) {
            double own = greedy->rows[i][k];
            both *= greedy->reference[k] - (own > newest[k] ? own : newest[k]);
        }
        double bound = alone(greedy, i) - both;
        if (bound < greedy->gains[i])
            greedy->gains[i] = bound;
    }
}

static void choose(struct greedy *greedy, int i)
{
    size_t m = (size_t)greedy->m;
    memcpy(&greedy->chosen[(size_t)greedy->n_chosen * m], greedy->rows[i], m * sizeof(double));
    greedy->is_chosen[i] = true;
    greedy->n_chosen++;
    if (greedy->m == 2)
        cut_corners(greedy, i);
    else
        bound_gains(greedy, greedy->rows[i]);
}

static void begin(struct greedy *greedy, const struct kd_costs *costs, const int *candidates,
                  int want)
{
    size_t n = (size_t)greedy->n, chosen = (size_t)want * (size_t)greedy->m;
    greedy->rows = KD_NEW_ARRAY(const double *, n);
    greedy->is_chosen = KD_NEW_ARRAY(bool, n);
    greedy->gains = KD_NEW_ARRAY(double, n);
    greedy->ages = KD_NEW_ARRAY(int, n);
    greedy->chosen = KD_NEW_ARRAY(double, chosen);
    greedy->shared = KD_NEW_ARRAY(double, chosen);
    greedy->corners = kd_alloc_array(n, sizeof *greedy->corners);
    for (int i = 0; i < greedy->n; i++) {
        greedy->rows[i] = &costs->rows[candidates[i] * greedy->m];
        for (int k = 0; k < 2 && k < greedy->m; k++)
            greedy->corners[i][k] = greedy->reference[k];
        greedy->gains[i] = alone(greedy, i);
    }
}

static void end(struct greedy *greedy)
{
    free(greedy->rows);
    free(greedy->is_chosen);
    free(greedy->gains);
    free(greedy->ages);
    free(greedy->chosen);
    free(greedy->shared);
    free(greedy->corners);
}

static bool is_finite(const double *reference, int m)
{
    for (int k = 0; k < m; k++) {
        if (!isfinite(reference[k]))
            return false;
    }
    return true;
}

void kd_pareto_subset(const struct kd_costs *costs, const double *reference, int want, int *chosen)
{
    kd_assert(want >= 0 && want <= costs->n);
    if (want == 0)
        return;
    int n_unique, *order = unique_first(costs, &n_unique);
    if (want >= n_unique || !is_finite(reference, costs->m)) {
        memcpy(chosen, order, (size_t)want * sizeof *order);
        free(order);
        return;
    }
    struct greedy greedy = {.n = n_unique, .m = costs->m, .reference = reference};
    begin(&greedy, costs, order, want);
    for (int i = 0; i < want; i++) {
        int next = costs->m == 2 ? best_gain(&greedy) : next_of_many(&greedy);
        chosen[i] = order[next];
        choose(&greedy, next);
    }
    end(&greedy);
    free(order);
}

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Of one front, `members`, the best `want`. */
static void choose_within(const struct kd_costs *costs, const int *members, int n, int want,
                          int *chosen)
{
    size_t m = (size_t)costs->m;
    bool feasible = !costs->violations || costs->violations[members[0]] <= 0;
    for (int i = 0; i < want; i++)
        chosen[i] = i;
    if (feasible && want < n) {
        double *rows = KD_NEW_ARRAY(double, (size_t)n *m), *reference = KD_NEW_ARRAY(double, m);
        for (int i = 0; i < n; i++)
            memcpy(&rows[(size_t)i * m], &costs->rows[(size_t)members[i] * m], m * sizeof *rows);
        struct kd_costs front = {.n = n, .m = costs->m, .rows = rows};
        kd_pareto_reference(&front, reference);
        kd_pareto_subset(&front, reference, want, chosen);
        free(rows), free(reference);
    }
    for (int i = 0; i < want; i++)
        chosen[i] = members[chosen[i]];
}

void kd_pareto_best(const struct kd_costs *costs, int want, int *chosen)
{
    kd_assert(want >= 0 && want <= costs->n);
    int *ranks = KD_NEW_ARRAY(int, (size_t)costs->n + 1);
    int *front = KD_NEW_ARRAY(int, (size_t)costs->n + 1);
    int n_fronts = kd_pareto_first_ranks(costs, want, ranks), n = 0;
    for (int rank = 0; rank < n_fronts && n < want; rank++) {
        int n_front = 0;
        for (int i = 0; i < costs->n; i++) {
            if (ranks[i] == rank)
                front[n_front++] = i;
        }
        int taken = n_front < want - n ? n_front : want - n;
        choose_within(costs, front, n_front, taken, &chosen[n]);
        n += taken;
    }
    qsort(chosen, (size_t)n, sizeof *chosen, ascending);
    free(front);
    free(ranks);
}
