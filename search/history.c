#include "search/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

void kd_history_init(struct kd_history *history, const struct kd_space *space)
{
    *history = (struct kd_history){.space = space, .n_objectives = 1};
}

static void release_trials(struct kd_history *history, int from)
{
    for (int i = from; i < history->n; i++) {
        free(history->trials[i].values);
        free(history->trials[i].reports);
        free(history->trials[i].objectives);
        free(history->trials[i].constraints);
    }
}

void kd_history_release(struct kd_history *history)
{
    release_trials(history, 0);
    free(history->trials);
    free(history->done);
    free(history->slots);
    free(history->touched);
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

static int append_trial(struct kd_history *history, const double *values)
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
        .number = number, .outcome = KD_RUNNING, .objective = NAN, .done_seq = -1, .parent = -1};
    trial->values = KD_NEW_ARRAY(double, n_params + 1);
    if (n_params > 0)
        memcpy(trial->values, values, n_params * sizeof *values);
    return number;
}

int kd_history_add(struct kd_history *history, const double *values)
{
    int number = append_trial(history, values);
    index_point(history, number);
    return number;
}

static struct kd_observation *trial_get(struct kd_history *history, int number)
{
    kd_assert(number >= 0 && number < history->n);
    return &history->trials[number];
}

static void touch(struct kd_history *history, int number)
{
    if (history->n_touched == history->touched_capacity) {
        history->touched_capacity = history->touched_capacity > 0 ? 2 * history->n_touched : 64;
        history->touched = kd_realloc_array(history->touched, (size_t)history->touched_capacity,
                                            sizeof *history->touched);
    }
    history->touched[history->n_touched++] = number;
}

void kd_history_schedule(struct kd_history *history, int number, int64_t until, int parent)
{
    struct kd_observation *trial = trial_get(history, number);
    trial->until = until;
    trial->parent = parent;
    touch(history, number);
}

void kd_history_pause(struct kd_history *history, int number)
{
    struct kd_observation *trial = trial_get(history, number);
    kd_assert(trial->outcome == KD_RUNNING);
    trial->is_paused = true;
    touch(history, number);
}

void kd_history_resume(struct kd_history *history, int number, int64_t until)
{
    struct kd_observation *trial = trial_get(history, number);
    kd_assert(trial->is_paused);
    trial->is_paused = false;
    trial->until = until;
    touch(history, number);
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
    touch(history, number);
}

void kd_history_cut(struct kd_history *history, int number, int64_t step)
{
    struct kd_observation *trial = &history->trials[number];
    while (trial->n_reports > 0 && trial->reports[trial->n_reports - 1].step > step)
        trial->n_reports--;
    touch(history, number);
}

static void append_done(struct kd_history *history, struct kd_observation *trial)
{
    if (history->n_done == history->done_capacity) {
        history->done_capacity = history->done_capacity > 0 ? 2 * history->done_capacity : 64;
        history->done =
            kd_realloc_array(history->done, (size_t)history->done_capacity, sizeof *history->done);
    }
    trial->done_seq = history->n_done;
    history->done[history->n_done++] = (int)trial->number;
}

static double *copy_doubles(const double *from, int n)
{
    double *copy = KD_NEW_ARRAY(double, (size_t)n);
    memcpy(copy, from, (size_t)n * sizeof *copy);
    return copy;
}

static double violation_of(const double *constraints, int n)
{
    double sum = 0;
    if (n > 0 && !constraints)
        return INFINITY;
    for (int i = 0; i < n; i++) {
        if (isnan(constraints[i]))
            return INFINITY;
        sum += constraints[i] > 0 ? constraints[i] : 0;
    }
    return sum;
}

void kd_history_finish_measured(struct kd_history *history, int number, enum kd_outcome outcome,
                                struct kd_measured measured)
{
    struct kd_observation *trial = trial_get(history, number);
    kd_assert(outcome != KD_RUNNING && trial->outcome == KD_RUNNING);
    trial->outcome = outcome;
    trial->is_paused = false;
    trial->objective = measured.objectives ? measured.objectives[0] : NAN;
    if (history->n_objectives > 1 && measured.objectives)
        trial->objectives = copy_doubles(measured.objectives, history->n_objectives);
    for (int i = 1; trial->objectives && i < history->n_objectives; i++)
        trial->objective = isfinite(trial->objectives[i]) ? trial->objective : NAN;
    if (history->n_constraints > 0 && measured.constraints)
        trial->constraints = copy_doubles(measured.constraints, history->n_constraints);
    trial->violation = violation_of(measured.constraints, history->n_constraints);
    append_done(history, trial);
    touch(history, number);
}

void kd_history_finish(struct kd_history *history, int number, enum kd_outcome outcome,
                       double objective)
{
    struct kd_measured measured = {.objectives = history->n_objectives == 1 ? &objective : NULL};
    kd_history_finish_measured(history, number, outcome, measured);
}

void kd_history_add_prior_measured(struct kd_history *history, const double *values,
                                   enum kd_outcome outcome, struct kd_measured measured)
{
    kd_assert(history->n == history->n_prior);
    int number = append_trial(history, values);
    history->n_prior++;
    kd_history_finish_measured(history, number, outcome, measured);
}

void kd_history_add_prior(struct kd_history *history, const double *values, enum kd_outcome outcome,
                          double objective)
{
    struct kd_measured measured = {.objectives = history->n_objectives == 1 ? &objective : NULL};
    kd_history_add_prior_measured(history, values, outcome, measured);
}

double kd_observation_objective(const struct kd_observation *trial, int i)
{
    if (trial->objectives)
        return trial->objectives[i];
    return i == 0 ? trial->objective : NAN;
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
        const struct kd_observation *trial = &history->trials[at];
        if (at < history->n_prior || !kd_observation_has_objective(trial) || trial->violation > 0)
            continue;
        if (best < 0 || history->trials[at].objective < history->trials[best].objective)
            best = at;
    }
    return best;
}

int kd_observation_report_at(const struct kd_observation *trial, int64_t step)
{
    int low = 0, high = trial->n_reports;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (trial->reports[middle].step < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int kd_history_n_proposed(const struct kd_history *history, int most)
{
    int n = 0;
    for (int i = history->n_prior; i < history->n && n < most; i++)
        n += history->trials[i].parent < 0;
    return n;
}

void kd_history_branch(struct kd_history *branch, const struct kd_history *base)
{
    *branch = *base;
    branch->capacity = base->n + 16;
    branch->trials = KD_NEW_ARRAY(struct kd_observation, (size_t)branch->capacity);
    branch->slots = base->n_slots > 0 ? KD_NEW_ARRAY(int, (size_t)base->n_slots) : NULL;
    if (base->n > 0)
        memcpy(branch->trials, base->trials, (size_t)base->n * sizeof *base->trials);
    if (base->n_slots > 0) /* none while there are only prior trials */
        memcpy(branch->slots, base->slots, (size_t)base->n_slots * sizeof *base->slots);
}

void kd_history_release_branch(struct kd_history *branch, const struct kd_history *base)
{
    release_trials(branch, base->n);
    free(branch->trials);
    free(branch->slots);
    *branch = (struct kd_history){0};
}
