/* sim_report.c - the table of simulations: times to the targets, compared with the first
 * strategy's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "tests/bench/search/sim_rows.h"
#include "tests/bench/search/stats.h"

enum { LABEL_WIDTH = 28 };

/* The rows of one kind of problem with one number of workers. */
struct group {
    const struct sim_rows *rows;
    const char *kind; /* of which the first kind_length bytes count; NULL = all */
    size_t kind_length;
    int n_workers;
};

static bool is_in(const struct group *group, const struct sim_row *row)
{
    return row->n_workers == group->n_workers &&
           (!group->kind || (strncmp(row->task, group->kind, group->kind_length) == 0 &&
                             row->task[group->kind_length] == '/'));
}

static double time_to(const struct sim_row *row, int target)
{
    return fmin(row->result.reached[target], sim_default_limit(row->n_workers));
}

static const struct sim_row *find(const struct group *group, const char *strategy, const char *task,
                                  int seed)
{
    for (size_t i = 0; i < group->rows->all.n; i++) {
        const struct sim_row *row = &group->rows->all.items[i];
        if (row->seed == seed && is_in(group, row) && strcmp(row->strategy, strategy) == 0 &&
            strcmp(row->task, task) == 0)
            return row;
    }
    return NULL;
}

/* What the two have in common: log ratios of the times of `strategy` and the first one, task by
 * task. */
struct pairs {
    KD_ARR(double) ratios;
    KD_ARR(struct stats_group) tasks; /* values set at the end */
    KD_ARR(double) task_means;
};

static void close_task(struct pairs *pairs, size_t first)
{
    size_t n = pairs->ratios.n - first;
    if (n == 0)
        return;
    kd_arr_push(&pairs->tasks, (struct stats_group){.n = n});
    kd_arr_push(&pairs->task_means, stats_mean(&pairs->ratios.items[first], n));
}

static bool is_new_task(const struct group *group, const char *strategy, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        const struct sim_row *row = &group->rows->all.items[i];
        if (is_in(group, row) && strcmp(row->strategy, strategy) == 0 &&
            strcmp(row->task, group->rows->all.items[at].task) == 0)
            return false;
    }
    return true;
}

static struct pairs collect(const struct group *group, const char *first, const char *strategy,
                            int target)
{
    struct pairs pairs = {0};
    const struct sim_row *rows = group->rows->all.items;
    for (size_t i = 0; i < group->rows->all.n; i++) {
        if (!is_in(group, &rows[i]) || strcmp(rows[i].strategy, strategy) != 0 ||
            !is_new_task(group, strategy, i))
            continue;
        size_t begin = pairs.ratios.n;
        for (size_t j = i; j < group->rows->all.n; j++) {
            bool is_same = is_in(group, &rows[j]) && strcmp(rows[j].strategy, strategy) == 0 &&
                           strcmp(rows[j].task, rows[i].task) == 0;
            const struct sim_row *other =
                is_same ? find(group, first, rows[j].task, rows[j].seed) : NULL;
            if (other)
                kd_arr_push(&pairs.ratios, log(time_to(&rows[j], target) / time_to(other, target)));
        }
        close_task(&pairs, begin);
    }
    for (size_t i = 0, at = 0; i < pairs.tasks.n; at += pairs.tasks.items[i++].n)
        pairs.tasks.items[i].values = &pairs.ratios.items[at];
    return pairs;
}

static void print_ratio(FILE *file, const struct group *group, const char *first,
                        const char *strategy, int target)
{
    struct pairs pairs = collect(group, first, strategy, target);
    if (strcmp(first, strategy) == 0 || pairs.tasks.n == 0) {
        fprintf(file, "  %27s", "");
    } else {
        struct stats_interval x = stats_bootstrap(pairs.tasks.items, pairs.tasks.n);
        fprintf(file, " %6.2f [%5.2f,%6.2f] %6.2g", exp(x.estimate), exp(x.low), exp(x.high),
                stats_wilcoxon(pairs.task_means.items, pairs.task_means.n));
    }
    kd_arr_release(&pairs.ratios);
    kd_arr_release(&pairs.tasks);
    kd_arr_release(&pairs.task_means);
}

static void print_strategy(FILE *file, const struct group *group, const char *first,
                           const char *strategy)
{
    fprintf(file, "%-*.*s", LABEL_WIDTH, LABEL_WIDTH, strategy);
    for (int target = 0; target < SIM_TARGETS; target++) {
        double sum = 0;
        int n = 0, n_reached = 0;
        for (size_t i = 0; i < group->rows->all.n; i++) {
            const struct sim_row *row = &group->rows->all.items[i];
            if (!is_in(group, row) || strcmp(row->strategy, strategy) != 0)
                continue;
            n++;
            n_reached += isfinite(row->result.reached[target]);
            sum += log(time_to(row, target));
        }
        fprintf(file, "  | %4d/%-4d %6.2f", n_reached, n, exp(sum / n));
        print_ratio(file, group, first, strategy, target);
    }
    fputc('\n', file);
}

/* Is this the first row of its group in which the strategy occurs? */
static bool is_new_strategy(const struct group *group, size_t at)
{
    const struct sim_row *rows = group->rows->all.items;
    for (size_t i = 0; i < at; i++) {
        if (is_in(group, &rows[i]) && strcmp(rows[i].strategy, rows[at].strategy) == 0)
            return false;
    }
    return is_in(group, &rows[at]);
}

static void print_group(FILE *file, const struct group *group)
{
    const char *first = NULL;
    char head[64];
    snprintf(head, sizeof head, "%.*s, %d worker%s", (int)group->kind_length,
             group->kind ? group->kind : "all", group->n_workers, group->n_workers > 1 ? "s" : "");
    fprintf(file, "\n%-*s", LABEL_WIDTH, head);
    for (int target = 0; target < SIM_TARGETS; target++)
        fprintf(file, "  | to %4.1f%% %9s  times the first's     p", 100 * sim_targets[target],
                "time");
    fputc('\n', file);
    for (size_t i = 0; i < group->rows->all.n; i++) {
        const char *strategy = group->rows->all.items[i].strategy;
        if (!is_new_strategy(group, i))
            continue;
        first = first ? first : strategy;
        print_strategy(file, group, first, strategy);
    }
}

static bool is_new_group(const struct sim_rows *rows, size_t at, const struct group *group)
{
    for (size_t i = 0; i < at; i++) {
        if (is_in(group, &rows->all.items[i]))
            return false;
    }
    return true;
}

void sim_rows_print(FILE *file, const struct sim_rows *rows)
{
    for (size_t i = 0; i < rows->all.n; i++) {
        const struct sim_row *row = &rows->all.items[i];
        struct group group = {.rows = rows,
                              .kind = row->task,
                              .kind_length = strcspn(row->task, "/"),
                              .n_workers = row->n_workers};
        if (is_new_group(rows, i, &group))
            print_group(file, &group);
    }
}
