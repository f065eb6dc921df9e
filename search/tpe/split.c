#include "search/tpe/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/pareto.h"

/* What a trial is ordered by, field after field. */
struct merit {
    double violation;
    double step; /* the further the better; INFINITY for a whole trial */
    double value;
    int number;
};

/* Best first, `want` of them at most. */
struct podium {
    struct merit best[KD_BELOW_MAX];
    int n, want;
};

static bool better(const struct merit *a, const struct merit *b)
{
    if (a->violation != b->violation)
        return a->violation < b->violation;
    if (a->step != b->step)
        return a->step > b->step;
    if (a->value != b->value)
        return a->value < b->value;
    return a->number < b->number;
}

/* `want` is small, and most trials fail the first comparison. */
static void stand(struct podium *podium, struct merit merit)
{
    struct merit *best = podium->best;
    if (podium->n == podium->want && (podium->n == 0 || !better(&merit, &best[podium->n - 1])))
        return;
    int at = podium->n < podium->want ? podium->n++ : podium->n - 1;
    for (; at > 0 && better(&merit, &best[at - 1]); at--)
        best[at] = best[at - 1];
    best[at] = merit;
}

static const struct kd_report *last_report(const struct kd_observation *trial)
{
    return trial->n_reports > 0 ? &trial->reports[trial->n_reports - 1] : NULL;
}

/* INFINITY for a whole trial, the furthest step of another, 0 for one that was stopped before it
 * reported, and -1 for what cannot be good. */
static double reach(const struct kd_observation *trial)
{
    if (trial->outcome == KD_INFEASIBLE || trial->violation == INFINITY)
        return -1;
    if (trial->outcome == KD_COMPLETE)
        return isfinite(trial->objective) ? INFINITY : -1;
    const struct kd_report *last = last_report(trial);
    if (trial->outcome == KD_RUNNING && (!last || !isfinite(last->value)))
        return -1;
    return last ? (double)last->step : 0;
}

/* A trial that came to a value that is not finite is as bad as it can be. */
static double last_value(const struct kd_observation *trial)
{
    const struct kd_report *last = last_report(trial);
    if (!last)
        return 0;
    return isfinite(last->value) ? last->value : INFINITY;
}

int kd_split_informed(const struct kd_history *history)
{
    int n = history->n_done;
    for (int i = 0; i < history->n && history->n_objectives == 1; i++) {
        const struct kd_observation *trial = &history->trials[i];
        n += trial->outcome == KD_RUNNING && reach(trial) > 0;
    }
    return n;
}

static struct merit merit_of(const struct kd_observation *trial, double furthest)
{
    return (struct merit){.violation = trial->violation,
                          .step = furthest,
                          .value = furthest == INFINITY ? trial->objective : last_value(trial),
                          .number = (int)trial->number};
}

static void choose_by_value(struct kd_split *split, const struct kd_history *history, int want)
{
    struct podium podium = {.want = want < KD_BELOW_MAX ? want : KD_BELOW_MAX};
    for (int i = 0; i < history->n && want > 0; i++) {
        double furthest = reach(&history->trials[i]);
        if (furthest >= 0)
            stand(&podium, merit_of(&history->trials[i], furthest));
    }
    for (int i = 0; i < podium.n; i++) {
        int at = i; /* ascending by number, with the place beside it */
        for (; at > 0 && split->below[at - 1] > podium.best[i].number; at--) {
            split->below[at] = split->below[at - 1];
            split->rank[at] = split->rank[at - 1];
        }
        split->below[at] = podium.best[i].number;
        split->rank[at] = i;
    }
    split->n_below = podium.n;
}

/* The rows of complete trials whose violation is known; `above` lends its room to their numbers. */
static struct kd_costs gather_costs(struct kd_split *split, const struct kd_history *history)
{
    int m = history->n_objectives;
    double *rows = KD_NEW_ARRAY(double, (size_t)history->n *(size_t)m + 1);
    double *violations = KD_NEW_ARRAY(double, (size_t)history->n + 1);
    int n = 0;
    for (int i = 0; i < history->n; i++) {
        const struct kd_observation *trial = &history->trials[i];
        if (trial->outcome == KD_RUNNING || reach(trial) != INFINITY)
            continue;
        for (int j = 0; j < m; j++)
            rows[n * m + j] = kd_observation_objective(trial, j);
        violations[n] = trial->violation;
        split->above[n++] = i;
    }
    return (struct kd_costs){.n = n, .m = m, .rows = rows, .violations = violations};
}

static void choose_by_rank(struct kd_split *split, const struct kd_history *history, int want)
{
    struct kd_costs costs = gather_costs(split, history);
    split->n_below = want < costs.n ? want : costs.n;
    kd_pareto_best(&costs, split->n_below, split->below);
    for (int i = 0; i < split->n_below; i++) {
        split->below[i] = split->above[split->below[i]];
        split->rank[i] = 0;
    }
    free((double *)costs.rows);
    free((double *)costs.violations);
}

static void reserve(struct kd_split *split, int n)
{
    if (n <= split->capacity)
        return;
    size_t capacity = 2 * (size_t)n;
    split->capacity = (int)capacity;
    split->below = kd_realloc_array(split->below, capacity, sizeof *split->below);
    split->rank = kd_realloc_array(split->rank, capacity, sizeof *split->rank);
    split->above = kd_realloc_array(split->above, capacity, sizeof *split->above);
}

void kd_split_trials(struct kd_split *split, const struct kd_history *history, int want)
{
    reserve(split, history->n);
    if (history->n_objectives > 1)
        choose_by_rank(split, history, want);
    else
        choose_by_value(split, history, want);
    split->n_above = 0;
    for (int i = 0, next = 0; i < history->n; i++) {
        if (next < split->n_below && split->below[next] == i)
            next++;
        else
            split->above[split->n_above++] = i;
    }
}

void kd_split_release(struct kd_split *split)
{
    free(split->below);
    free(split->rank);
    free(split->above);
    *split = (struct kd_split){0};
}
