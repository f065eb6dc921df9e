#include "search/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

/* What a trial is ordered by: smaller is better, field after field. */
struct merit {
    int kind; /* 0 complete, 1 pruned */
    double step, value;
    int number;
};

static bool has_merit(const struct kd_observation *trial)
{
    return trial->outcome == KD_PRUNED ||
           (trial->outcome == KD_COMPLETE && isfinite(trial->objective));
}

static struct merit merit_of(const struct kd_observation *trial)
{
    struct merit merit = {.number = (int)trial->number};
    if (trial->outcome == KD_COMPLETE) {
        merit.value = trial->objective;
        return merit;
    }
    merit.kind = 1;
    merit.step = 1; /* no report: after every step, which count as negative */
    if (trial->n_reports > 0) {
        const struct kd_report *last = &trial->reports[trial->n_reports - 1];
        merit.step = -(double)last->step;
        merit.value = isnan(last->value) ? INFINITY : last->value;
    }
    return merit;
}

static bool better(const struct merit *a, const struct merit *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind;
    if (a->step != b->step)
        return a->step < b->step;
    if (a->value != b->value)
        return a->value < b->value;
    return a->number < b->number;
}

/* Keeps the want best seen so far in order; want is small, and most trials fail the first comparison. */
static int keep_best(struct merit *best, int n, int want, struct merit merit)
{
    if (n == want && !better(&merit, &best[n - 1]))
        return n;
    int at = n < want ? n++ : n - 1;
    for (; at > 0 && better(&merit, &best[at - 1]); at--)
        best[at] = best[at - 1];
    best[at] = merit;
    return n;
}

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static void choose_below(struct kd_split *split, const struct kd_history *history, int want)
{
    struct merit best[KD_BELOW_MAX];
    int n = 0;
    for (int i = 0; i < history->n && want > 0; i++) {
        if (has_merit(&history->trials[i]))
            n = keep_best(best, n, want, merit_of(&history->trials[i]));
    }
    for (int i = 0; i < n; i++)
        split->below[i] = best[i].number;
    split->n_below = n;
    qsort(split->below, (size_t)n, sizeof *split->below, ascending);
}

void kd_split_trials(struct kd_split *split, const struct kd_history *history, int want)
{
    kd_assert(want <= KD_BELOW_MAX);
    if (history->n > split->above_capacity) {
        split->above_capacity = 2 * history->n;
        split->above =
            kd_realloc_array(split->above, (size_t)split->above_capacity, sizeof *split->above);
    }
    choose_below(split, history, want);
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
    free(split->above);
    *split = (struct kd_split){0};
}
