#include "search/math/hypervolume.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

struct keyed {
    double key;
    int index;
};

static int by_key(const void *a_, const void *b_)
{
    const struct keyed *a = a_, *b = b_;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* The rows in the order of one objective, ascending. */
static struct keyed *sort_by(const double *rows, int n, int m, int objective)
{
    struct keyed *order = KD_NEW_ARRAY(struct keyed, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        order[i] = (struct keyed){.key = rows[i * m + objective], .index = i};
    qsort(order, (size_t)n, sizeof *order, by_key);
    return order;
}

static bool covers(const double *a, const double *b, int m)
{
    for (int i = 0; i < m; i++) {
        if (a[i] > b[i])
            return false;
    }
    return true;
}

/* Moves the rows that no other covers to the front, one of each kind; returns how many. */
static int keep_front(double *rows, int n, int m)
{
    size_t bytes = (size_t)m * sizeof *rows;
    int kept = 0;
    for (int i = 0; i < n; i++) {
        double *row = &rows[i * m];
        bool is_covered = false;
        for (int j = 0; j < kept && !is_covered; j++)
            is_covered = covers(&rows[j * m], row, m);
        if (is_covered)
            continue;
        int still = 0;
        for (int j = 0; j < kept; j++) {
            if (!covers(row, &rows[j * m], m))
                memmove(&rows[still++ * m], &rows[j * m], bytes);
        }
        memmove(&rows[still * m], row, bytes);
        kept = still + 1;
    }
    return kept;
}

static double sweep_1(const double *rows, int n, const double *reference)
{
    double least = reference[0];
    for (int i = 0; i < n; i++)
        least = rows[i] < least ? rows[i] : least;
    return reference[0] - least;
}

static double sweep_2(const double *rows, int n, const double *reference)
{
    struct keyed *order = sort_by(rows, n, 2, 0);
    double area = 0, height = reference[1];
    for (int i = 0; i < n; i++) {
        double y = rows[2 * order[i].index + 1];
        if (y >= height)
            continue;
        area += (reference[0] - order[i].key) * (height - y);
        height = y;
    }
    free(order);
    return area;
}

/* A staircase: x ascending, y descending. */
struct stairs {
    int n;
    double *x, *y;
};

static void put_step(struct stairs *stairs, double x, double y)
{
    int at = 0, end;
    while (at < stairs->n && stairs->x[at] < x)
        at++;
    if (at > 0 && stairs->y[at - 1] <= y)
        return;
    if (at < stairs->n && stairs->x[at] == x && stairs->y[at] <= y)
        return;
    for (end = at; end < stairs->n && stairs->y[end] >= y; end++)
        ;
    size_t behind = (size_t)(stairs->n - end) * sizeof(double);
    memmove(&stairs->x[at + 1], &stairs->x[end], behind);
    memmove(&stairs->y[at + 1], &stairs->y[end], behind);
    stairs->x[at] = x, stairs->y[at] = y;
    stairs->n += 1 - (end - at);
}

static double area_of(const struct stairs *stairs, const double *reference)
{
    double area = 0, height = reference[1];
    for (int i = 0; i < stairs->n; i++) {
        area += (reference[0] - stairs->x[i]) * (height - stairs->y[i]);
        height = stairs->y[i];
    }
    return area;
}

/* Slices of the third objective, from the best to the worst: each has the area that the rows so far
 * cover. */
static double sweep_3(const double *rows, int n, const double *reference)
{
    struct keyed *order = sort_by(rows, n, 3, 2);
    struct stairs stairs = {.x = KD_NEW_ARRAY(double, (size_t)n + 1),
                            .y = KD_NEW_ARRAY(double, (size_t)n + 1)};
    double volume = 0;
    for (int i = 0; i < n; i++) {
        const double *row = &rows[3 * order[i].index];
        double next = i + 1 < n ? order[i + 1].key : reference[2];
        put_step(&stairs, row[0], row[1]);
        if (next > row[2])
            volume += area_of(&stairs, reference) * (next - row[2]);
    }
    free(stairs.x), free(stairs.y);
    free(order);
    return volume;
}

static double volume_of(double *rows, int n, int m, const double *reference);

static double inclusive(const double *row, int m, const double *reference)
{
    double volume = 1;
    for (int i = 0; i < m; i++)
        volume *= reference[i] - row[i];
    return volume;
}

/* Row `at`, and those after it limited to what both cover, without their last objective. */
static double exclusive(const double *rows, const struct keyed *order, int at, int m,
                        double *limited, const double *reference)
{
    const double *row = &rows[order[at].index * m];
    for (int j = 0; j < at; j++) {
        const double *other = &rows[order[j].index * m];
        for (int k = 0; k < m - 1; k++)
            limited[j * (m - 1) + k] = other[k] > row[k] ? other[k] : row[k];
    }
    return inclusive(row, m - 1, reference) - volume_of(limited, at, m - 1, reference);
}

/* The rows that are better in the last objective come first, so that a row and what it shares with
 * them have the same last objective: it is a factor. */
static double wfg(const double *rows, int n, int m, const double *reference)
{
    struct keyed *order = sort_by(rows, n, m, m - 1);
    double *limited = KD_NEW_ARRAY(double, (size_t)n *(size_t)(m - 1) + 1), volume = 0;
    for (int i = 0; i < n; i++) {
        double depth = reference[m - 1] - order[i].key;
        volume += depth * exclusive(rows, order, i, m, limited, reference);
    }
    free(limited);
    free(order);
    return volume;
}

/* rows: scratch, all at or before the reference. */
static double volume_of(double *rows, int n, int m, const double *reference)
{
    if (n == 0)
        return 0;
    if (m == 1)
        return sweep_1(rows, n, reference);
    if (m == 2)
        return sweep_2(rows, n, reference);
    if (m == 3)
        return sweep_3(rows, n, reference);
    n = keep_front(rows, n, m);
    return n == 1 ? inclusive(rows, m, reference) : wfg(rows, n, m, reference);
}

static bool is_below(const double *row, int m, const double *reference)
{
    for (int i = 0; i < m; i++) {
        if (!(row[i] < reference[i]))
            return false;
    }
    return true;
}

static bool is_unbounded(const double *row, int m, const double *reference)
{
    for (int i = 0; i < m; i++) {
        if (isinf(row[i]) || isinf(reference[i]))
            return true;
    }
    return false;
}

double kd_hypervolume(const double *rows, int n, int m, const double *reference)
{
    double *inside = KD_NEW_ARRAY(double, (size_t)n *(size_t)m + 1);
    int kept = 0;
    bool unbounded = false;
    for (int i = 0; i < n; i++) {
        const double *row = &rows[i * m];
        if (!is_below(row, m, reference))
            continue;
        unbounded = unbounded || is_unbounded(row, m, reference);
        memcpy(&inside[m * kept++], row, (size_t)m * sizeof *row);
    }
    double volume = unbounded ? INFINITY : volume_of(inside, kept, m, reference);
    free(inside);
    return isfinite(volume) ? volume
                            : INFINITY; /* infinity less infinity: beyond the largest number */
}
