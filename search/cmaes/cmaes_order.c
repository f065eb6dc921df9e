#include "search/cmaes/cmaes_order.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"

enum kind { COMPLETE, PRUNED, VIOLATING, FAILED };

/* Smaller is better, field after field. */
struct merit {
    enum kind kind;
    double step, value;
    int number;
};

static struct merit merit_of(const struct kd_history *history, int number)
{
    const struct kd_observation *trial = &history->trials[number];
    struct merit merit = {.kind = FAILED, .number = number};
    bool has_objective = kd_observation_has_objective(trial);
    if (!has_objective && trial->outcome != KD_PRUNED)
        return merit;
    if (trial->violation > 0) {
        merit.kind = VIOLATING;
        merit.value = trial->violation;
    } else if (trial->outcome == KD_COMPLETE) {
        merit.kind = COMPLETE;
        merit.value = trial->objective;
    } else {
        const struct kd_report *last =
            trial->n_reports > 0 ? &trial->reports[trial->n_reports - 1] : NULL;
        merit.kind = PRUNED;
        merit.step = last ? -(double)last->step : 0;
        merit.value = last ? last->value : trial->objective;
        if (isnan(merit.value))
            merit.value = INFINITY;
    }
    return merit;
}

static int by_merit(const void *a_, const void *b_)
{
    const struct merit *a = a_, *b = b_;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

int kd_cma_order(const struct kd_history *history, int *numbers, int n)
{
    struct merit *merits = KD_NEW_ARRAY(struct merit, (size_t)n + 1);
    int n_good = 0;
    for (int i = 0; i < n; i++)
        merits[i] = merit_of(history, numbers[i]);
    qsort(merits, (size_t)n, sizeof *merits, by_merit);
    for (int i = 0; i < n; i++) {
        numbers[i] = merits[i].number;
        n_good += merits[i].kind != FAILED;
    }
    free(merits);
    return n_good;
}

double kd_cma_value(const struct kd_observation *trial)
{
    return kd_observation_has_objective(trial) ? trial->objective : NAN;
}
