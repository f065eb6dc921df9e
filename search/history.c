#include "search/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

void kd_history_init(struct kd_history *history, const struct kd_space *space)
{
    *history = (struct kd_history){.space = space};
}

static void release_trials(struct kd_history *history, int from)
{
    for (int i = from; i < history->n; i++) {
        free(history->trials[i].values);
        free(history->trials[i].reports);
    }
}

void kd_history_release(struct kd_history *history)
{
    release_trials(history, 0);
    free(history->trials);
    free(history->done);
    free(history->slots);
    *history = (struct kd_history){0};
}

/* The slot of the point, or the free one where it would go; needs at least one free slot. */
static int *find_slot(const struct kd_history *history, const double *values)
{
    uint64_t mask = (uint64_t)history->n_slots - 1;
    uint64_t at = kd_point_hash(history->space, values) & mask;
    while (history->slots[at] != 0) {
        const struct kd_observation *trial = &history->trials[history->slots[at] - 1];
        if (kd_points_equal(history->space, trial->values, values))
            break;
        at = (at + 1) & mask;
    }
    return &history->slots[at];
}

static void grow_slots(struct kd_history *history)
{
    int *old = history->slots, n_old = history->n_slots;
    history->n_slots = n_old > 0 ? 2 * n_old : 64;
    history->slots = KD_NEW_ARRAY(int, (size_t)history->n_slots);
    for (int i = 0; i < n_old; i++) {
        if (old[i] != 0)
            *find_slot(history, history->trials[old[i] - 1].values) = old[i];
    }
    free(old);
}

static void index_point(struct kd_history *history, int number)
{
    if (2 * (history->n_distinct + 1) > history->n_slots)
        grow_slots(history);
    int *slot = find_slot(history, history->trials[number].values);
    if (*slot == 0) {
        *slot = number + 1;
        history->n_distinct++;
    }
}

bool kd_history_has(const struct kd_history *history, const double *values)
{
    return history->n_slots > 0 && *find_slot(history, values) != 0;
}

int kd_history_add(struct kd_history *history, const double *values)
{
    if (history->n == history->capacity) {
        history->capacity = history->capacity > 0 ? 2 * history->capacity : 64;
        history->trials =
            kd_realloc_array(history->trials, (size_t)history->capacity, sizeof *history->trials);
    }
    size_t n_params = (size_t)history->space->n_params;
    int number = history->n++;
    struct kd_observation *trial = &history->trials[number];
    *trial = (struct kd_observation){
        .number = number, .outcome = KD_RUNNING, .objective = NAN, .done_seq = -1};
    trial->values = KD_NEW_ARRAY(double, n_params + 1);
    if (n_params > 0)
        memcpy(trial->values, values, n_params * sizeof *values);
    index_point(history, number);
    return number;
}

static struct kd_observation *trial_get(struct kd_history *history, int number)
{
    kd_assert(number >= 0 && number < history->n);
    return &history->trials[number];
}

void kd_history_report(struct kd_history *history, int number, int64_t step, double value)
{
    struct kd_observation *trial = trial_get(history, number);
    int at = trial->n_reports;
    while (at > 0 && trial->reports[at - 1].step >= step)
        at--;
    bool replaces = at < trial->n_reports && trial->reports[at].step == step;
    if (!replaces) {
        if (trial->n_reports == trial->reports_capacity) {
            trial->reports_capacity = trial->reports_capacity > 0 ? 2 * trial->n_reports : 8;
            trial->reports = kd_realloc_array(trial->reports, (size_t)trial->reports_capacity,
                                              sizeof *trial->reports);
        }
        memmove(&trial->reports[at + 1], &trial->reports[at],
                (size_t)(trial->n_reports - at) * sizeof *trial->reports);
        trial->n_reports++;
    }
    trial->reports[at] = (struct kd_report){.step = step, .value = value};
}

void kd_history_cut(struct kd_history *history, int number, int64_t step)
{
    struct kd_observation *trial = &history->trials[number];
    while (trial->n_reports > 0 && trial->reports[trial->n_reports - 1].step > step)
        trial->n_reports--;
}

void kd_history_finish(struct kd_history *history, int number, enum kd_outcome outcome,
                       double objective)
{
    struct kd_observation *trial = trial_get(history, number);
    kd_assert(outcome != KD_RUNNING && trial->outcome == KD_RUNNING);
    if (history->n_done == history->done_capacity) {
        history->done_capacity = history->done_capacity > 0 ? 2 * history->done_capacity : 64;
        history->done =
            kd_realloc_array(history->done, (size_t)history->done_capacity, sizeof *history->done);
    }
    trial->outcome = outcome;
    trial->objective = objective;
    trial->done_seq = history->n_done;
    history->done[history->n_done++] = number;
}

bool kd_observation_has_objective(const struct kd_observation *trial)
{
    return (trial->outcome == KD_COMPLETE || trial->outcome == KD_PRUNED) &&
           isfinite(trial->objective);
}

int kd_history_best(const struct kd_history *history)
{
    int best = -1;
    for (int i = 0; i < history->n_done; i++) {
        int at = history->done[i];
        if (!kd_observation_has_objective(&history->trials[at]))
            continue;
        if (best < 0 || history->trials[at].objective < history->trials[best].objective)
            best = at;
    }
    return best;
}

void kd_history_branch(struct kd_history *branch, const struct kd_history *base)
{
    *branch = *base;
    branch->capacity = base->n + 16;
    branch->trials = KD_NEW_ARRAY(struct kd_observation, (size_t)branch->capacity);
    branch->slots = base->n_slots > 0 ? KD_NEW_ARRAY(int, (size_t)base->n_slots) : NULL;
    if (base->n > 0) {
        memcpy(branch->trials, base->trials, (size_t)base->n * sizeof *base->trials);
        memcpy(branch->slots, base->slots, (size_t)base->n_slots * sizeof *base->slots);
    }
}

void kd_history_release_branch(struct kd_history *branch, const struct kd_history *base)
{
    release_trials(branch, base->n);
    free(branch->trials);
    free(branch->slots);
    *branch = (struct kd_history){0};
}
