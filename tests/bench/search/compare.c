#include "tests/bench/search/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

bool compare_is_of_kind(const struct field *field, size_t task, const char *kind)
{
    return !kind || strcmp(field->tasks.items[task].kind, kind) == 0;
}

static bool pair_at(const struct field *field, size_t a, size_t b, size_t task, size_t seed, int n,
                    double regrets[2])
{
    regrets[0] = field_regret(field, a, task, seed, n);
    regrets[1] = field_regret(field, b, task, seed, n);
    return !isnan(regrets[0]) && !isnan(regrets[1]);
}

bool compare_has_pair(const struct field *field, size_t a, size_t b, const char *kind, int n)
{
    double regrets[2];
    for (size_t task = 0; task < field->tasks.n; task++) {
        for (size_t seed = 0; seed < field->n_seeds; seed++) {
            if (compare_is_of_kind(field, task, kind) &&
                pair_at(field, a, b, task, seed, n, regrets))
                return true;
        }
    }
    return false;
}

enum measure { DIFFERENCE, LOG_RATIO, RANK, N_MEASURES };

/* Each measure of each cell, and where the tasks begin. */
struct cells {
    double *values[N_MEASURES]; /* owned */
    struct stats_group *groups; /* owned: one per task, of one measure; `values` set by select */
    size_t n_groups, n_cells;
};

static void add_cell(struct cells *cells, const double regrets[2])
{
    double a = regrets[0], b = regrets[1];
    cells->values[DIFFERENCE][cells->n_cells] = a - b;
    cells->values[LOG_RATIO][cells->n_cells] = log(a / b);
    cells->values[RANK][cells->n_cells] = (a > b) - (a < b);
    cells->n_cells++;
}

static struct cells collect(const struct field *field, size_t a, size_t b, const char *kind, int n)
{
    struct cells cells = {.groups = KD_NEW_ARRAY(struct stats_group, field->tasks.n + 1)};
    for (int i = 0; i < N_MEASURES; i++)
        cells.values[i] = KD_NEW_ARRAY(double, field->tasks.n * field->n_seeds + 1);
    for (size_t task = 0; task < field->tasks.n; task++) {
        size_t first = cells.n_cells;
        double regrets[2];
        for (size_t seed = 0; seed < field->n_seeds; seed++) {
            if (compare_is_of_kind(field, task, kind) &&
                pair_at(field, a, b, task, seed, n, regrets))
                add_cell(&cells, regrets);
        }
        if (cells.n_cells > first)
            cells.groups[cells.n_groups++].n = cells.n_cells - first;
    }
    return cells;
}

static void select_measure(struct cells *cells, enum measure measure)
{
    const double *values = cells->values[measure];
    for (size_t i = 0; i < cells->n_groups; i++) {
        cells->groups[i].values = values;
        values += cells->groups[i].n;
    }
}

static double wilcoxon_of_means(const struct cells *cells)
{
    double *means = KD_NEW_ARRAY(double, cells->n_groups + 1);
    for (size_t i = 0; i < cells->n_groups; i++)
        means[i] = stats_mean(cells->groups[i].values, cells->groups[i].n);
    double p = stats_wilcoxon(means, cells->n_groups);
    free(means);
    return p;
}

struct comparison compare_pair(const struct field *field, size_t a, size_t b, const char *kind,
                               int n)
{
    struct comparison result = {.a = a, .b = b, .kind = kind, .n = n};
    struct cells cells = collect(field, a, b, kind, n);
    result.n_cells = cells.n_cells;
    select_measure(&cells, DIFFERENCE);
    result.regret = stats_bootstrap(cells.groups, cells.n_groups);
    result.p = wilcoxon_of_means(&cells);
    select_measure(&cells, LOG_RATIO);
    struct stats_interval ratio = stats_bootstrap(cells.groups, cells.n_groups);
    result.ratio = (struct stats_interval){exp(ratio.estimate), exp(ratio.low), exp(ratio.high)};
    select_measure(&cells, RANK);
    result.rank = stats_bootstrap(cells.groups, cells.n_groups);
    for (int i = 0; i < N_MEASURES; i++)
        free(cells.values[i]);
    free(cells.groups);
    return result;
}

void compare_correct(struct comparison *comparisons, size_t n)
{
    double *p = KD_NEW_ARRAY(double, n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = comparisons[i].p;
    stats_holm(p, n);
    for (size_t i = 0; i < n; i++)
        comparisons[i].p_holm = p[i];
    free(p);
}
