/* pbt.c - population-based training (Jaderberg et al., arXiv 1711.09846): members are trained side
 * by side; at every interval the worst give way to copies of the best, which go on with nearby
 * hyperparameters.
 *
 * A trial pauses at each generation (step h * interval). With n members and k =
 * ceil(truncation_threshold * n), at most n / 2, of them to be replaced, generation h sends on n -
 * k members, the best first, and k clones:
 *
 *     resume   the best that waits, as soon as k others are known to be worse (or nobody is on the way here any more)
 *     clone    as soon as a loser is certain, n - k others being better: a new trial from the checkpoint and the
 *              hyperparameters of a winner, drawn from the best k, the hyperparameters perturbed
 *
 * So the outcome is that of the synchronous algorithm, and nobody waits for more than k stragglers.
 * A loser stays paused for ever. Members that fail or diverge on the way are replaced by clones
 * too; in the first generation, by new trials. The lowest generation goes first, so that a
 * population larger than the number of slots stays together.
 *
 * Clones are counted, not remembered: losers and the dead so far must exceed them. A clone starts
 * at the last generation that its winner has reached, where that one's checkpoint is, which may be
 * later than the loser's.
 *
 * Katib's names: suggestion_trial_dir is accepted and not needed, checkpoints have a place of their
 * own; without resample_probability nothing is drawn anew. Without fidelity.max generations go on
 * for as long as new trials may start. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "search/stopper.h"
#include "search/stoppers/perturb.h"
#include "search/stoppers/population.h"

struct pbt {
    const struct kd_space *space;
    struct kd_axis *axes;
    uint64_t seed;
    int n_members, n_replaced;
    struct kd_perturbation perturbation;
    struct kd_population population; /* of the history seen last */
};

static int64_t read_interval(const struct kd_task *task, const struct kd_settings *settings)
{
    enum { GENERATIONS = 10 };
    if (kd_settings_given(settings, "interval"))
        return (int64_t)kd_settings_number(settings, "interval");
    return task->fidelity_max >= 2 * GENERATIONS ? task->fidelity_max / GENERATIONS : 1;
}

static int count_replaced(double share, int n_members)
{
    int n = (int)-floor(-share * n_members);
    return n < n_members / 2 ? n : n_members / 2;
}

static int check_interval(int64_t interval, int64_t max, struct kd_error *err)
{
    if (max > 0 && interval > max)
        return kd_fail(err, "interval: %lld is above fidelity.max, %lld; make it smaller",
                       (long long)interval, (long long)max);
    if (max / interval >= KD_POPULATION_MOST)
        return kd_fail(
            err, "interval: %lld makes %lld generations of fidelity.max, %lld; make it larger",
            (long long)interval, (long long)(max / interval), (long long)max);
    return 0;
}

static void *pbt_new(const struct kd_task *task, const struct kd_settings *settings, uint64_t seed,
                     struct kd_error *err)
{
    int64_t interval = read_interval(task, settings);
    if (check_interval(interval, task->fidelity_max, err) < 0)
        return NULL;
    struct pbt *self = KD_NEW(struct pbt);
    *self = (struct pbt){
        .space = task->space,
        .axes = kd_axes_new(task->space),
        .seed = seed,
        .n_members = (int)kd_settings_number(settings, "n_population"),
        .perturbation = {.down = kd_settings_number(settings, "factor_down"),
                         .up = kd_settings_number(settings, "factor_up"),
                         .resample = kd_settings_number(settings, "resample_probability")},
        .population = {.interval = interval, .max = task->fidelity_max}};
    self->n_replaced =
        count_replaced(kd_settings_number(settings, "truncation_threshold"), self->n_members);
    return self;
}

static enum kd_verdict pbt_judge(void *self, const struct kd_history *history, int number,
                                 const struct kd_report *report)
{
    (void)self;
    return kd_judge_until(history, number, report);
}

static int64_t until_generation(const struct pbt *self, int generation)
{
    return generation == kd_population_last(&self->population)
               ? 0
               : kd_population_step(&self->population, generation);
}

static bool found_new(const struct pbt *self, struct kd_next *next)
{
    if (self->population.n_founders >= self->n_members)
        return false;
    *next = (struct kd_next){
        .kind = KD_NEXT_NEW, .trial = -1, .parent = -1, .until = until_generation(self, 1)};
    return true;
}

/* Places that generation h gives to its own: the losers aside, who may be fewer when members are
 * missing. */
static bool found_survivor(const struct pbt *self, const struct kd_history *history, int h,
                           struct kd_next *next)
{
    const struct kd_generation *generation = &self->population.generations[h];
    bool is_found = false;
    if (generation->n_waiting == 0 || generation->n_passed >= self->n_members - self->n_replaced)
        return false;
    struct kd_member *members = kd_population_rank(&self->population, history, h);
    for (int i = 0; i < generation->n_reached && !is_found; i++) {
        int n_worse = generation->n_reached - 1 - i;
        if (generation->n_coming > 0 && n_worse < self->n_replaced)
            break;
        if (!members[i].is_waiting)
            continue;
        *next = (struct kd_next){.kind = KD_NEXT_RESUME,
                                 .trial = members[i].trial,
                                 .parent = -1,
                                 .until = until_generation(self, h + 1)};
        is_found = true;
    }
    free(members);
    return is_found;
}

static bool can_be_cloned(const struct pbt *self, const struct kd_history *history,
                          const struct kd_member *member)
{
    enum kd_outcome outcome = history->trials[member->trial].outcome;
    return (outcome == KD_RUNNING || outcome == KD_COMPLETE) &&
           member->reached < kd_population_last(&self->population);
}

/* Moves the winners of generation h to the front and returns how many: the best that can be cloned,
 * k at most, from the best half. When some of them are still at h, only those: others would take
 * their clone further than its peers. */
static int find_winners(const struct pbt *self, const struct kd_history *history, int h,
                        struct kd_member *members)
{
    int n = self->population.generations[h].n_reached, n_winners = 0, n_here = 0;
    int most = self->n_replaced > 0 ? self->n_replaced : 1;
    for (int i = 0; i < n && n_winners < most && 2 * i <= n; i++) {
        if (can_be_cloned(self, history, &members[i]))
            members[n_winners++] = members[i];
    }
    for (int i = 0; i < n_winners; i++) {
        if (members[i].reached == h)
            members[n_here++] = members[i];
    }
    return n_here > 0 ? n_here : n_winners;
}

static bool found_clone(const struct pbt *self, const struct kd_history *history, int h,
                        struct kd_next *next, double *point)
{
    struct kd_rng rng = kd_rng_at(self->seed, (uint64_t)history->n);
    struct kd_member *members = kd_population_rank(&self->population, history, h);
    int n = find_winners(self, history, h, members);
    if (n > 0) {
        struct kd_member winner = members[kd_rng_below(&rng, (uint64_t)n)];
        *next = (struct kd_next){.kind = KD_NEXT_NEW,
                                 .trial = -1,
                                 .parent = winner.trial,
                                 .until = until_generation(self, winner.reached + 1),
                                 .has_point = true};
        kd_point_perturb(self->space, self->axes, &self->perturbation, &rng,
                         history->trials[winner.trial].values, point);
    }
    free(members);
    return n > 0;
}

/* Losers that are certain: n - k others are better. */
static int count_losers(const struct pbt *self, int h)
{
    int n = self->population.generations[h].n_reached - (self->n_members - self->n_replaced);
    return n > 0 ? n : 0;
}

/* The last generation that half of the members have reached; the first one before that. */
static int settled_generation(const struct pbt *self)
{
    int settled = 1;
    for (int h = 1; h <= self->population.n; h++) {
        if (2 * self->population.generations[h].n_reached >= self->n_members)
            settled = h;
    }
    return settled;
}

/* Clones go before survivors: the winners' checkpoints are at this generation still. */
static bool found_any_clone(const struct pbt *self, const struct kd_history *history,
                            struct kd_next *next, double *point)
{
    int last = kd_population_last(&self->population), n_due = 0;
    for (int h = 1; h <= self->population.n && h < last; h++) {
        n_due += count_losers(self, h);
        if (n_due > self->population.n_clones && found_clone(self, history, h, next, point))
            return true;
    }
    return self->population.n > 0 && n_due + self->population.n_dead > self->population.n_clones &&
           found_clone(self, history, settled_generation(self), next, point);
}

static bool found_any_survivor(const struct pbt *self, const struct kd_history *history,
                               struct kd_next *next)
{
    int last = kd_population_last(&self->population);
    for (int h = 1; h <= self->population.n && h < last; h++) {
        if (found_survivor(self, history, h, next))
            return true;
    }
    return false;
}

/* Without a known end, no new trial means no new generation. */
static bool found_step(const struct pbt *self, const struct kd_history *history, double *point,
                       struct kd_next *next)
{
    if (point && (found_new(self, next) || found_any_clone(self, history, next, point)))
        return true;
    return (point || self->population.max > 0) && found_any_survivor(self, history, next);
}

static struct kd_next pbt_next(void *self_, const struct kd_history *history, double *point)
{
    struct pbt *self = self_;
    struct kd_next next = {.kind = KD_NEXT_END, .trial = -1, .parent = -1};
    kd_population_count(&self->population, history);
    if (!found_step(self, history, point, &next) && self->population.n_running > 0)
        next.kind = KD_NEXT_WAIT;
    return next;
}

static void pbt_free(void *self_)
{
    struct pbt *self = self_;
    if (!self)
        return;
    kd_population_release(&self->population);
    free(self->axes);
    free(self);
}

static const struct kd_setting pbt_settings[] = {
    {"n_population", KD_SETTING_INT, "10", 2, 1e5, NULL, "members that are trained side by side"},
    {"interval", KD_SETTING_INT, NULL, 1, 0x1p53, NULL,
     "steps between generations (a tenth of fidelity.max)"},
    {"truncation_threshold", KD_SETTING_NUMBER, "0.2", 0, 1, NULL,
     "share of the members that is replaced at a generation, half of them at most"},
    {"resample_probability", KD_SETTING_NUMBER, "0", 0, 1, NULL,
     "how often a clone's parameter is drawn anew and not perturbed"},
    {"factor_down", KD_SETTING_NUMBER, "0.8", 0, 1, NULL, "perturbation to a smaller value"},
    {"factor_up", KD_SETTING_NUMBER, "1.2", 1, 1e6, NULL, "perturbation to a larger value"},
    {"suggestion_trial_dir", KD_SETTING_TEXT, NULL, 0, 0, NULL, "Katib's; not needed"},
    {"random_state", KD_SETTING_INT, NULL, 0, 0x1p53, NULL, "seed, in place of the experiment's"},
    {0},
};

const struct kd_stopper kd_stopper_pbt = {
    .name = "pbt",
    .summary = "population-based training: the worst give way to perturbed copies of the best",
    .settings = pbt_settings,
    .can = KD_STOPPER_PAUSES | KD_STOPPER_CLONES,
    .new = pbt_new,
    .judge = pbt_judge,
    .next = pbt_next,
    .free = pbt_free,
};
