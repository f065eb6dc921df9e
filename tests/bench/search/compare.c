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

enum measure { REGRET_A, REGRET_B, DIFFERENCE, RANK, N_MEASURES };

/* The measures of each cell, grouped by task. */
struct cells {
    double *values[N_MEASURES];             /* owned */
    struct stats_group *groups[N_MEASURES]; /* owned: one per task */
    size_t n_groups, n_cells;
};

static void add_cell(struct cells *cells, double a, double b)
{
    size_t at = cells->n_cells++;
    cells->values[REGRET_A][at] = a;
    cells->values[REGRET_B][at] = b;
    cells->values[DIFFERENCE][at] = a - b;
    cells->values[RANK][at] = (a > b) - (a < b);
}

static void add_group(struct cells *cells, size_t first)
{
    if (cells->n_cells == first)
        return;
    for (int i = 0; i < N_MEASURES; i++)
        cells->groups[i][cells->n_groups] =
            (struct stats_group){&cells->values[i][first], cells->n_cells - first};
    cells->n_groups++;
}

static struct cells collect(const struct field *field, size_t a, size_t b, const char *kind, int n)
{
    struct cells cells = {0};
    for (int i = 0; i < N_MEASURES; i++) {
        cells.values[i] = KD_NEW_ARRAY(double, field->tasks.n * field->n_seeds + 1);
        cells.groups[i] = KD_NEW_ARRAY(struct stats_group, field->tasks.n + 1);
    }
    for (size_t task = 0; task < field->tasks.n; task++) {
        size_t first = cells.n_cells;
        double regrets[2];
        for (size_t seed = 0; seed < field->n_seeds; seed++) {
            if (compare_is_of_kind(field, task, kind) &&
                pair_at(field, a, b, task, seed, n, regrets))
                add_cell(&cells, regrets[0], regrets[1]);
        }
        add_group(&cells, first);
    }
    return cells;
}

static double wilcoxon_of_means(const struct stats_group *groups, size_t n_groups)
{
    double *means = KD_NEW_ARRAY(double, n_groups + 1);
    for (size_t i = 0; i < n_groups; i++)
        means[i] = stats_mean(groups[i].values, groups[i].n);
    double p = stats_wilcoxon(means, n_groups);
    free(means);
    return p;
}

struct comparison compare_pair(const struct field *field, size_t a, size_t b, const char *kind,
                               int n)
{
    struct cells cells = collect(field, a, b, kind, n);
    struct comparison result = {
        .a = a,
        .b = b,
        .kind = kind,
        .n = n,
        .n_cells = cells.n_cells,
        .regret = stats_bootstrap(cells.groups[DIFFERENCE], cells.n_groups),
        .ratio =
            stats_bootstrap_ratio(cells.groups[REGRET_A], cells.groups[REGRET_B], cells.n_groups),
        .rank = stats_bootstrap(cells.groups[RANK], cells.n_groups),
        .p = wilcoxon_of_means(cells.groups[DIFFERENCE], cells.n_groups),
    };
    for (int i = 0; i < N_MEASURES; i++) {
        free(cells.values[i]);
        free(cells.groups[i]);
    }
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
