#include "search/pareto.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"

bool kd_dominates(const double *a, const double *b, int m)
{
    bool better = false;
    for (int i = 0; i < m; i++) {
        if (a[i] > b[i])
            return false;
        better = better || a[i] < b[i];
    }
    return better;
}

/* A row with its place, to be sorted. */
struct placed {
    const double *row;
    int m, index;
};

static int compare_rows(const double *a, const double *b, int m)
{
    for (int i = 0; i < m; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

static int by_row(const void *a_, const void *b_)
{
    const struct placed *a = a_, *b = b_;
    int order = compare_rows(a->row, b->row, a->m);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Some rows in lexicographic order, so that none is dominated by a later one; equal ones stand
 * together. */
static struct placed *sort_rows(const double *rows, int m, const int *members, int n)
{
    struct placed *sorted = KD_NEW_ARRAY(struct placed, (size_t)n + 1);
    for (int i = 0; i < n; i++) {
        int index = members ? members[i] : i;
        sorted[i] = (struct placed){.row = &rows[index * m], .m = m, .index = index};
    }
    qsort(sorted, (size_t)n, sizeof *sorted, by_row);
    return sorted;
}

void kd_pareto_sort(const struct kd_costs *costs, int *order)
{
    struct placed *sorted = sort_rows(costs->rows, costs->m, NULL, costs->n);
    for (int i = 0; i < costs->n; i++)
        order[i] = sorted[i].index;
    free(sorted);
}

static bool equals_last(const struct placed *sorted, int i)
{
    return i > 0 && compare_rows(sorted[i].row, sorted[i - 1].row, sorted[i].m) == 0;
}

/* Fronts under construction: the last row of each, and for each row the one before it in its
 * front. */
struct fronts {
    const struct placed *sorted;
    int n;
    int *last, *before;
};

/* Has the front a row that dominates row i of the sorted ones? With two objectives its last one is
 * the lowest. */
static bool front_dominates(const struct fronts *fronts, int front, int i)
{
    int m = fronts->sorted[i].m;
    for (int at = fronts->last[front]; at >= 0; at = fronts->before[at]) {
        if (kd_dominates(fronts->sorted[at].row, fronts->sorted[i].row, m))
            return true;
        if (m <= 2)
            return false;
    }
    return false;
}

/* The first front that takes row i: what a front dominates, all before it dominate. */
static int find_front(const struct fronts *fronts, int i)
{
    int low = 0, high = fronts->n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (front_dominates(fronts, middle, i))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int rank_rows(const double *rows, int m, const int *members, int n, int *ranks)
{
    struct placed *sorted = sort_rows(rows, m, members, n);
    struct fronts fronts = {.sorted = sorted,
                            .last = KD_NEW_ARRAY(int, (size_t)n + 1),
                            .before = KD_NEW_ARRAY(int, (size_t)n + 1)};
    int front = 0;
    for (int i = 0; i < n; i++) {
        if (!equals_last(sorted, i)) {
            front = find_front(&fronts, i);
            fronts.before[i] = front < fronts.n ? fronts.last[front] : -1;
            fronts.last[front] = i;
            fronts.n += front == fronts.n;
        }
        ranks[sorted[i].index] = front;
    }
    free(fronts.last), free(fronts.before);
    free(sorted);
    return fronts.n;
}

/* Some of a front, the one that dominated last at the top: it is likely to dominate the next row,
 * too. */
struct pile {
    const double **rows;
    int n, m;
};

static bool pile_dominates(struct pile *pile, const double *row)
{
    for (int i = pile->n - 1; i >= 0; i--) {
        if (!kd_dominates(pile->rows[i], row, pile->m))
            continue;
        const double *dominator = pile->rows[i];
        pile->rows[i] = pile->rows[pile->n - 1];
        pile->rows[pile->n - 1] = dominator;
        return true;
    }
    return false;
}

/* Takes the front off the sorted rows; what is left moves together. Returns how many are left. */
static int take_front(struct placed *sorted, int n, struct pile *pile, int rank, int *ranks)
{
    int n_left = 0;
    bool is_front = true;
    const double *last = NULL;
    pile->n = 0;
    for (int i = 0; i < n; i++) {
        const double *row = sorted[i].row;
        if (!last || compare_rows(row, last, pile->m) != 0) {
            is_front = !pile_dominates(pile, row);
            if (is_front && pile->m <= 2)
                pile->n = 0; /* the last one is the lowest */
            if (is_front)
                pile->rows[pile->n++] = row;
        }
        last = row;
        ranks[sorted[i].index] = rank;
        if (!is_front)
            sorted[n_left++] = sorted[i];
    }
    return n_left;
}

/* Front by front until `want` rows have their rank; the rest have the next one. */
static int rank_first(const double *rows, int m, const int *members, int n, int want, int *ranks)
{
    struct placed *sorted = sort_rows(rows, m, members, n);
    struct pile pile = {.rows = KD_NEW_ARRAY(const double *, (size_t)n + 1), .m = m};
    int rank = 0, n_left = n;
    for (; n_left > 0 && n - n_left < want; rank++)
        n_left = take_front(sorted, n_left, &pile, rank, ranks);
    for (int i = 0; i < n_left; i++)
        ranks[sorted[i].index] = rank;
    free(pile.rows);
    free(sorted);
    return rank + (n_left > 0);
}

static bool is_feasible(const struct kd_costs *costs, int i)
{
    return !costs->violations || costs->violations[i] <= 0;
}

static int rank_all(const struct kd_costs *costs, int want, int *ranks)
{
    int *members = KD_NEW_ARRAY(int, (size_t)costs->n + 1), n = 0, n_infeasible = 0, n_fronts;
    for (int i = 0; i < costs->n; i++) {
        if (is_feasible(costs, i))
            members[n++] = i;
        else
            members[costs->n - ++n_infeasible] = i;
    }
    if (want < costs->n)
        n_fronts = rank_first(costs->rows, costs->m, members, n, want, ranks);
    else
        n_fronts = rank_rows(costs->rows, costs->m, members, n, ranks);
    if (n_infeasible > 0) {
        int n_more = rank_rows(costs->violations, 1, &members[n], n_infeasible, ranks);
        for (int i = n; i < costs->n; i++)
            ranks[members[i]] += n_fronts;
        n_fronts += n_more;
    }
    free(members);
    return n_fronts;
}

int kd_pareto_ranks(const struct kd_costs *costs, int *ranks)
{
    return rank_all(costs, costs->n, ranks);
}

int kd_pareto_first_ranks(const struct kd_costs *costs, int want, int *ranks)
{
    return rank_all(costs, want, ranks);
}

struct place {
    double value;
    int at; /* among the members */
};

static int by_value(const void *a_, const void *b_)
{
    const struct place *a = a_, *b = b_;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* Half the range of the finite values, which cannot overflow; 1 when there is none. */
static double half_range(const struct place *places, int n)
{
    int first = 0, last = n - 1;
    while (first < n && isinf(places[first].value))
        first++;
    while (last >= 0 && isinf(places[last].value))
        last--;
    double range = first < last ? places[last].value / 2 - places[first].value / 2 : 0;
    return range > 0 ? range : 1;
}

static void add_gaps(const struct place *places, int n, double *distances)
{
    if (places[0].value == places[n - 1].value)
        return;
    double range = half_range(places, n);
    distances[places[0].at] = distances[places[n - 1].at] = INFINITY;
    for (int i = 1; i < n - 1; i++) {
        double below = places[i - 1].value, above = places[i + 1].value;
        if (below != above)
            distances[places[i].at] += (above / 2 - below / 2) / range;
    }
}

void kd_pareto_crowding(const struct kd_costs *costs, const int *members, int n_members,
                        double *distances)
{
    struct place *places = KD_NEW_ARRAY(struct place, (size_t)n_members + 1);
    for (int i = 0; i < n_members; i++)
        distances[i] = 0;
    for (int k = 0; k < costs->m && n_members > 0; k++) {
        for (int i = 0; i < n_members; i++)
            places[i] = (struct place){.value = costs->rows[members[i] * costs->m + k], .at = i};
        qsort(places, (size_t)n_members, sizeof *places, by_value);
        add_gaps(places, n_members, distances);
    }
    free(places);
}

static bool is_candidate(const struct kd_history *history, int number)
{
    const struct kd_observation *trial = &history->trials[number];
    return number >= history->n_prior && kd_observation_has_objective(trial) &&
           !(trial->violation > 0);
}

static int by_number(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

int kd_history_front(const struct kd_history *history, int *numbers)
{
    int n = 0, m = history->n_objectives, n_front = 0;
    double *rows = KD_NEW_ARRAY(double, (size_t)history->n_done *(size_t)m + 1);
    int *ranks = KD_NEW_ARRAY(int, (size_t)history->n_done + 1);
    for (int i = 0; i < history->n_done; i++) {
        int number = history->done[i];
        if (!is_candidate(history, number))
            continue;
        for (int k = 0; k < m; k++)
            rows[n * m + k] = kd_observation_objective(&history->trials[number], k);
        numbers[n++] = number;
    }
    kd_pareto_ranks(&(struct kd_costs){.n = n, .m = m, .rows = rows}, ranks);
    for (int i = 0; i < n; i++) {
        if (ranks[i] == 0)
            numbers[n_front++] = numbers[i];
    }
    qsort(numbers, (size_t)n_front, sizeof *numbers, by_number);
    free(ranks);
    free(rows);
    return n_front;
}
