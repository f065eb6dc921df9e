#include "tests/bench/search/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "tests/bench/search/compare.h"
#include "tests/bench/search/stats.h"

static const int budgets[] = {20, 50, 100, 200, 500, 1000};

enum { LABEL_WIDTH = 28 };

/* What one strategy reached at one budget, over the cells that all have. */
struct summary {
    double mean, geometric, rank;
};

static bool all_regrets(const struct field *field, size_t task, size_t seed, int n, double *regrets)
{
    for (size_t i = 0; i < field->strategies.n; i++) {
        regrets[i] = field_regret(field, i, task, seed, n);
        if (isnan(regrets[i]))
            return false;
    }
    return true;
}

/* The cells of one task: sums of regrets and of ranks, one per strategy. Returns how many there
 * were. */
static size_t sum_task(const struct field *field, size_t task, int n, double *regrets,
                       double *ranks)
{
    size_t n_strategies = field->strategies.n, n_cells = 0;
    double *cell = KD_NEW_ARRAY(double, 2 * n_strategies + 1), *cell_ranks = &cell[n_strategies];
    memset(regrets, 0, n_strategies * sizeof *regrets);
    memset(ranks, 0, n_strategies * sizeof *ranks);
    for (size_t seed = 0; seed < field->n_seeds; seed++) {
        if (!all_regrets(field, task, seed, n, cell))
            continue;
        stats_ranks(cell, n_strategies, cell_ranks);
        for (size_t i = 0; i < n_strategies; i++) {
            regrets[i] += cell[i];
            ranks[i] += cell_ranks[i];
        }
        n_cells++;
    }
    free(cell);
    return n_cells;
}

/* summaries: one per strategy. Returns how many cells there were. */
static size_t summarise(const struct field *field, const char *kind, int n,
                        struct summary *summaries)
{
    size_t n_strategies = field->strategies.n, n_cells = 0, n_tasks = 0;
    double *regrets = KD_NEW_ARRAY(double, 2 * n_strategies + 1), *ranks = &regrets[n_strategies];
    memset(summaries, 0, n_strategies * sizeof *summaries);
    for (size_t task = 0; task < field->tasks.n; task++) {
        size_t count =
            compare_is_of_kind(field, task, kind) ? sum_task(field, task, n, regrets, ranks) : 0;
        for (size_t i = 0; count > 0 && i < n_strategies; i++) {
            summaries[i].mean += regrets[i];
            summaries[i].geometric += log(regrets[i] / (double)count);
            summaries[i].rank += ranks[i];
        }
        n_cells += count;
        n_tasks += count > 0;
    }
    for (size_t i = 0; i < n_strategies && n_cells > 0; i++) {
        double count = (double)n_cells;
        summaries[i] = (struct summary){summaries[i].mean / count,
                                        exp(summaries[i].geometric / (double)n_tasks),
                                        summaries[i].rank / count};
    }
    free(regrets);
    return n_cells;
}

static double ask_ms(const struct field *field, size_t strategy, const char *kind)
{
    double seconds = 0, asks = 0;
    for (size_t task = 0; task < field->tasks.n; task++) {
        for (size_t seed = 0; seed < field->n_seeds; seed++) {
            const struct result *run = field_run(field, strategy, task, seed);
            if (run && compare_is_of_kind(field, task, kind)) {
                seconds += run->ask_s;
                asks += run->n;
            }
        }
    }
    return asks > 0 ? 1e3 * seconds / asks : NAN;
}

static void print_heads(FILE *file, const char *kind, const size_t *n_cells)
{
    fprintf(file, "\n%-*s", LABEL_WIDTH, kind ? kind : "all");
    if (n_cells[0] == 0)
        fprintf(file, "  | no (task, seed) with %d trials of each", budgets[0]);
    for (size_t b = 0; b < KD_COUNT(budgets); b++) {
        if (n_cells[b] > 0)
            fprintf(file, "  | @%-4d %6zu runs each ", budgets[b], n_cells[b]);
    }
    fprintf(file, "\n%-*s", LABEL_WIDTH, "");
    for (size_t b = 0; b < KD_COUNT(budgets); b++) {
        if (n_cells[b] > 0)
            fprintf(file, "  | %7s %8s %5s", "mean", "geo", "rank");
    }
    fprintf(file, "  |  ms/ask\n");
}

static void print_table(FILE *file, const struct field *field, const char *kind)
{
    size_t n_strategies = field->strategies.n, n_cells[KD_COUNT(budgets)];
    struct summary *summaries = KD_NEW_ARRAY(struct summary, KD_COUNT(budgets) * n_strategies + 1);
    for (size_t b = 0; b < KD_COUNT(budgets); b++)
        n_cells[b] = summarise(field, kind, budgets[b], &summaries[b * n_strategies]);
    print_heads(file, kind, n_cells);
    for (size_t i = 0; i < n_strategies; i++) {
        fprintf(file, "%-*.*s", LABEL_WIDTH, LABEL_WIDTH, field->strategies.items[i]);
        for (size_t b = 0; b < KD_COUNT(budgets); b++) {
            const struct summary *s = &summaries[b * n_strategies + i];
            if (n_cells[b] > 0)
                fprintf(file, "  | %7.4f %8.5f %5.2f", s->mean, s->geometric, s->rank);
        }
        fprintf(file, "  | %7.3f\n", ask_ms(field, i, kind));
    }
    free(summaries);
}

typedef KD_ARR(struct comparison) comparisons;

static size_t find_strategy(const struct field *field, const char *name)
{
    size_t at = 0;
    while (at < field->strategies.n && strcmp(field->strategies.items[at], name) != 0)
        at++;
    return at;
}

/* The largest budget at which the two have a run in common. */
static int common_budget(const struct field *field, size_t a, size_t b, const char *kind)
{
    for (size_t i = KD_COUNT(budgets); i > 0; i--) {
        if (compare_has_pair(field, a, b, kind, budgets[i - 1]))
            return budgets[i - 1];
    }
    return 0;
}

/* Two subjects are compared once. */
static bool was_compared(const struct field *field, const struct report_options *options, size_t i,
                         size_t b)
{
    for (size_t j = 0; j < i; j++) {
        if (strcmp(options->subjects[j], field->strategies.items[b]) == 0)
            return true;
    }
    return false;
}

static void compare_kind(const struct field *field, const struct report_options *options,
                         const char *kind, comparisons *all)
{
    for (size_t i = 0; i < options->n_subjects; i++) {
        size_t a = find_strategy(field, options->subjects[i]);
        for (size_t b = 0; a < field->strategies.n && b < field->strategies.n; b++) {
            int at = options->at > 0 ? options->at : common_budget(field, a, b, kind);
            if (b != a && at > 0 && !was_compared(field, options, i, b) &&
                compare_has_pair(field, a, b, kind, at))
                kd_arr_push(all, compare_pair(field, a, b, kind, at));
        }
    }
}

static void print_interval(FILE *file, struct stats_interval x)
{
    fprintf(file, "  %7.3f [%7.3f,%7.3f]", x.estimate, x.low, x.high);
}

static void print_comparisons(FILE *file, const struct field *field, const comparisons *all)
{
    fprintf(file, "\n%-11s %5s %6s %-34s  %-25s  %-25s  %-25s  %9s %8s\n", "", "", "", "",
            "regret, difference", "geometric means, ratio", "rank, -1 always better", "Wilcoxon",
            "Holm");
    for (size_t i = 0; i < all->n; i++) {
        const struct comparison *c = &all->items[i];
        char pair[96];
        snprintf(pair, sizeof pair, "%s - %s", field->strategies.items[c->a],
                 field->strategies.items[c->b]);
        fprintf(file, "%-11s @%-4d %6zu %-34s", c->kind ? c->kind : "all", c->n, c->n_cells, pair);
        print_interval(file, c->regret);
        print_interval(file, c->ratio);
        print_interval(file, c->rank);
        fprintf(file, "  %9.2g %8.2g\n", c->p, c->p_holm);
    }
}

static bool is_first_of_kind(const struct field *field, size_t task)
{
    for (size_t i = 0; i < task; i++) {
        if (strcmp(field->tasks.items[i].kind, field->tasks.items[task].kind) == 0)
            return false;
    }
    return true;
}

void report_print(FILE *file, const struct field *field, const struct report_options *options)
{
    comparisons all = {0};
    size_t n_kinds = 0;
    for (size_t task = 0; task < field->tasks.n; task++) {
        if (!is_first_of_kind(field, task))
            continue;
        print_table(file, field, field->tasks.items[task].kind);
        compare_kind(field, options, field->tasks.items[task].kind, &all);
        n_kinds++;
    }
    if (n_kinds > 1) {
        print_table(file, field, NULL);
        compare_kind(field, options, NULL, &all);
    }
    compare_correct(all.items, all.n);
    if (all.n > 0)
        print_comparisons(file, field, &all);
    kd_arr_release(&all);
}
