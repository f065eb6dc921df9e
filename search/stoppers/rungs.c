#include "search/stoppers/rungs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"

/* What one trial counts for. */
struct kd_stand {
    bool is_known;
    int bracket;
    int n_reached;  /* rungs, from the lowest */
    int n_passed;   /* of these */
    int waiting_at; /* rung, -1 = nowhere */
    double *values; /* owned; at each rung reached */
};

void kd_rungs_init(struct kd_rungs *rungs, int n_brackets, int eta, uint64_t seed)
{
    *rungs = (struct kd_rungs){.n_brackets = n_brackets, .eta = eta};
    rungs->brackets = KD_NEW_ARRAY(struct kd_bracket, (size_t)n_brackets);
    rungs->phase = kd_hash2(seed, (uint64_t)n_brackets);
}

static void forget_all(struct kd_rungs *rungs)
{
    for (int i = 0; i < rungs->n_brackets; i++) {
        struct kd_bracket *bracket = &rungs->brackets[i];
        for (int k = 0; k < bracket->ladder.n; k++) {
            kd_ranking_release(&bracket->rungs[k].reached);
            kd_ranking_release(&bracket->rungs[k].waiting);
            bracket->rungs[k].n_passed = 0;
        }
    }
    for (int i = 0; i < rungs->n; i++)
        free(rungs->stands[i].values);
    rungs->n = rungs->cursor = rungs->n_waiting = 0;
}

void kd_rungs_release(struct kd_rungs *rungs)
{
    forget_all(rungs);
    free(rungs->brackets);
    free(rungs->stands);
    *rungs = (struct kd_rungs){0};
}

/* The multiples of the golden ratio, modulo 1, fill [0, 1) evenly at every moment (Weyl's
 * sequence). */
int kd_rungs_bracket(const struct kd_rungs *rungs, int number)
{
    uint64_t turn = rungs->phase + (uint64_t)number * 0x9E3779B97F4A7C15u;
    double total = 0, at = (double)(turn >> 11) * 0x1p-53;
    for (int i = 0; i < rungs->n_brackets; i++)
        total += rungs->brackets[i].share;
    at *= total;
    for (int i = 0; i < rungs->n_brackets - 1; i++) {
        at -= rungs->brackets[i].share;
        if (at < 0)
            return i;
    }
    return rungs->n_brackets - 1;
}

static double worst_unless_finite(double value)
{
    return isfinite(value) ? value : INFINITY;
}

static void leave_waiting(struct kd_rungs *rungs, struct kd_stand *stand, int number)
{
    int k = stand->waiting_at;
    if (k < 0)
        return;
    kd_ranking_remove(&rungs->brackets[stand->bracket].rungs[k].waiting,
                      (struct kd_place){stand->values[k], number});
    stand->waiting_at = -1;
    rungs->n_waiting--;
}

static void leave_from(struct kd_rungs *rungs, struct kd_stand *stand, int number, int first)
{
    struct kd_bracket *bracket = &rungs->brackets[stand->bracket];
    for (int k = first; k < stand->n_reached; k++) {
        kd_ranking_remove(&bracket->rungs[k].reached, (struct kd_place){stand->values[k], number});
        bracket->rungs[k].n_passed -= k < stand->n_passed;
    }
    stand->n_reached = first < stand->n_reached ? first : stand->n_reached;
    stand->n_passed = first < stand->n_passed ? first : stand->n_passed;
}

static void reach(struct kd_rungs *rungs, struct kd_stand *stand,
                  const struct kd_observation *trial)
{
    struct kd_bracket *bracket = &rungs->brackets[stand->bracket];
    int number = (int)trial->number;
    for (int k = 0; k < bracket->ladder.n; k++) {
        int at = kd_observation_report_at(trial, bracket->ladder.steps[k]);
        double value =
            at < trial->n_reports ? worst_unless_finite(trial->reports[at].value) : -INFINITY;
        if (k < stand->n_reached && stand->values[k] != value)
            leave_from(rungs, stand, number, k);
        if (at == trial->n_reports)
            return;
        if (k < stand->n_reached)
            continue;
        stand->values[stand->n_reached++] = value;
        kd_ranking_add(&bracket->rungs[k].reached, (struct kd_place){value, number});
    }
}

static void pass(struct kd_rungs *rungs, struct kd_stand *stand, const struct kd_observation *trial)
{
    struct kd_bracket *bracket = &rungs->brackets[stand->bracket];
    int n_passed = 0;
    while (n_passed < stand->n_reached &&
           (trial->until == 0 || trial->until > bracket->ladder.steps[n_passed]))
        n_passed++;
    for (int k = stand->n_passed; k < n_passed; k++)
        bracket->rungs[k].n_passed++;
    for (int k = n_passed; k < stand->n_passed; k++)
        bracket->rungs[k].n_passed--;
    stand->n_passed = n_passed;
}

static void stand_waiting(struct kd_rungs *rungs, struct kd_stand *stand,
                          const struct kd_observation *trial)
{
    int k = stand->n_reached - 1;
    if (!trial->is_paused || k < 0)
        return;
    stand->waiting_at = k;
    rungs->n_waiting++;
    kd_ranking_add(&rungs->brackets[stand->bracket].rungs[k].waiting,
                   (struct kd_place){stand->values[k], (int)trial->number});
}

static struct kd_stand *get_stand(struct kd_rungs *rungs, int number)
{
    if (number >= rungs->capacity) {
        rungs->capacity = 2 * number + 64;
        rungs->stands =
            kd_realloc_array(rungs->stands, (size_t)rungs->capacity, sizeof *rungs->stands);
    }
    while (rungs->n <= number)
        rungs->stands[rungs->n++] = (struct kd_stand){0};
    struct kd_stand *stand = &rungs->stands[number];
    if (stand->is_known)
        return stand;
    *stand = (struct kd_stand){
        .is_known = true, .bracket = kd_rungs_bracket(rungs, number), .waiting_at = -1};
    stand->values = KD_NEW_ARRAY(double, (size_t)rungs->brackets[stand->bracket].ladder.n);
    return stand;
}

void kd_rungs_sync(struct kd_rungs *rungs, const struct kd_history *history)
{
    if (history->n_touched < rungs->cursor || history->n < rungs->n)
        forget_all(rungs);
    for (; rungs->cursor < history->n_touched; rungs->cursor++) {
        int number = history->touched[rungs->cursor];
        const struct kd_observation *trial = &history->trials[number];
        struct kd_stand *stand = get_stand(rungs, number);
        leave_waiting(rungs, stand, number);
        reach(rungs, stand, trial);
        pass(rungs, stand, trial);
        stand_waiting(rungs, stand, trial);
    }
}

/* How many of n may go on: the best 1/eta, one at least. */
static int quota(const struct kd_rungs *rungs, int n)
{
    return n > rungs->eta ? n / rungs->eta : 1;
}

static bool is_above_bar(const struct kd_rungs *rungs, const struct kd_rung *rung, double value)
{
    return value < INFINITY &&
           kd_ranking_below(&rung->reached, value) < quota(rungs, rung->reached.n);
}

enum kd_verdict kd_rungs_stop(struct kd_rungs *rungs, const struct kd_history *history, int number,
                              const struct kd_report *report)
{
    kd_rungs_sync(rungs, history);
    const struct kd_stand *stand = get_stand(rungs, number);
    const struct kd_bracket *bracket = &rungs->brackets[stand->bracket];
    const struct kd_observation *trial = &history->trials[number];
    for (int k = 0; k < bracket->ladder.n - 1 && bracket->ladder.steps[k] <= report->step; k++) {
        int at = kd_observation_report_at(trial, bracket->ladder.steps[k]);
        bool is_here = at < trial->n_reports && trial->reports[at].step == report->step;
        if (is_here && !is_above_bar(rungs, &bracket->rungs[k], stand->values[k]))
            return KD_STOP;
    }
    return KD_GO;
}

static int64_t until_rung(const struct kd_rungs *rungs, const struct kd_ladder *ladder, int k)
{
    return k == ladder->n - 1 && rungs->is_open_ended ? 0 : ladder->steps[k];
}

/* May the best that waits at rung k go on? At the first rung only while fewer than 1/eta of all
 * have: the best of a moment are overtaken by later ones, and together they would be more than
 * 1/eta. */
static bool has_promotable(const struct kd_rungs *rungs, const struct kd_bracket *bracket, int k)
{
    const struct kd_rung *rung = &bracket->rungs[k];
    int n_best = rung->reached.n / rungs->eta;
    if (rung->waiting.n == 0 || (k == 0 && rung->n_passed >= n_best))
        return false;
    struct kd_place best = kd_ranking_at(&rung->waiting, 0);
    return best.value < INFINITY && kd_ranking_rank(&rung->reached, best) < n_best;
}

static struct kd_next promote(const struct kd_rungs *rungs, const struct kd_bracket *bracket, int k)
{
    return (struct kd_next){.kind = KD_NEXT_RESUME,
                            .trial = kd_ranking_at(&bracket->rungs[k].waiting, 0).trial,
                            .until = until_rung(rungs, &bracket->ladder, k + 1),
                            .parent = -1};
}

/* From the top rung down, over all brackets. */
static bool find_promotion(const struct kd_rungs *rungs,
                           bool (*may)(const struct kd_rungs *, const struct kd_bracket *, int k),
                           struct kd_next *next)
{
    for (int below_top = 1; below_top < KD_LADDER_MOST; below_top++) {
        for (int i = 0; i < rungs->n_brackets; i++) {
            const struct kd_bracket *bracket = &rungs->brackets[i];
            int k = bracket->ladder.n - 1 - below_top;
            if (k < 0 || !may(rungs, bracket, k))
                continue;
            *next = promote(rungs, bracket, k);
            return true;
        }
    }
    return false;
}

/* No new trial can come: may the best that waits at rung k fill a place that the rung still has to
 * give? */
static bool has_place_left(const struct kd_rungs *rungs, const struct kd_bracket *bracket, int k)
{
    const struct kd_rung *rung = &bracket->rungs[k];
    return rung->waiting.n > 0 && kd_ranking_at(&rung->waiting, 0).value < INFINITY &&
           rung->n_passed < quota(rungs, rung->reached.n);
}

struct kd_next kd_rungs_next(struct kd_rungs *rungs, const struct kd_history *history,
                             bool can_start)
{
    struct kd_next next = {.kind = KD_NEXT_END, .trial = -1, .parent = -1};
    kd_rungs_sync(rungs, history);
    if (find_promotion(rungs, has_promotable, &next))
        return next;
    if (can_start) {
        const struct kd_bracket *bracket = &rungs->brackets[kd_rungs_bracket(rungs, history->n)];
        next.kind = KD_NEXT_NEW;
        next.until = until_rung(rungs, &bracket->ladder, 0);
        return next;
    }
    if (history->n - history->n_done > rungs->n_waiting)
        next.kind = KD_NEXT_WAIT;
    else
        find_promotion(rungs, has_place_left, &next);
    return next;
}
