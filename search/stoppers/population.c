#include "search/stoppers/population.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"

int kd_population_last(const struct kd_population *population)
{
    if (population->max == 0)
        return KD_POPULATION_MOST;
    int64_t whole = population->max / population->interval;
    return (int)whole + (population->max % population->interval > 0);
}

int64_t kd_population_step(const struct kd_population *population, int generation)
{
    int64_t step = generation * population->interval;
    return population->max > 0 && step > population->max ? population->max : step;
}

/* The last generation at this step or before. */
static int generation_at(const struct kd_population *population, int64_t step)
{
    if (population->max > 0 && step >= population->max)
        return kd_population_last(population);
    int64_t generation = step > 0 ? step / population->interval : 0;
    return generation < KD_POPULATION_MOST ? (int)generation : KD_POPULATION_MOST;
}

static double value_at(const struct kd_population *population, const struct kd_observation *trial,
                       int generation)
{
    int at = kd_observation_report_at(trial, kd_population_step(population, generation));
    return at < trial->n_reports ? trial->reports[at].value : NAN;
}

/* The part that a trial has in the population: the generations after `start` up to `reached`, on
 * the way to `target`. */
struct part {
    int start, reached, target;
};

static struct part part_of(const struct kd_population *population,
                           const struct kd_observation *trial)
{
    struct part part = {0};
    part.target =
        trial->until > 0 ? generation_at(population, trial->until) : kd_population_last(population);
    if (trial->parent >= 0 && trial->n_reports > 0)
        part.start = generation_at(population, trial->reports[0].step - 1);
    else if (trial->parent >= 0)
        part.start = part.target > 0 ? part.target - 1 : 0;
    part.reached = part.start;
    if (trial->n_reports > 0)
        part.reached = generation_at(population, trial->reports[trial->n_reports - 1].step);
    while (part.reached > part.start && !isfinite(value_at(population, trial, part.reached)))
        part.reached--;
    return part;
}

static void reserve(struct kd_population *population, int n)
{
    if (n <= population->n)
        return;
    population->generations =
        kd_realloc_array(population->generations, (size_t)n + 1, sizeof *population->generations);
    for (int h = population->n > 0 ? population->n + 1 : 0; h <= n; h++)
        population->generations[h] = (struct kd_generation){0};
    population->n = n;
}

static bool is_running(const struct kd_observation *trial)
{
    return trial->outcome == KD_RUNNING && !trial->is_paused;
}

static void count_trial(struct kd_population *population, const struct kd_observation *trial)
{
    struct part part = part_of(population, trial);
    bool is_alive = trial->outcome == KD_RUNNING, is_done = trial->outcome == KD_COMPLETE;
    bool is_on_the_way = part.reached < part.target;
    population->n_running += is_running(trial);
    population->n_clones += trial->parent >= 0;
    population->n_founders += trial->parent < 0 && (part.reached > 0 || is_alive);
    population->n_dead +=
        !is_alive && !is_done && is_on_the_way && (trial->parent >= 0 || part.reached > 0);
    reserve(population, part.reached);
    for (int h = part.start + 1; h <= part.reached; h++) {
        population->generations[h].n_reached++;
        population->generations[h].n_passed += part.target > h;
    }
    if (trial->is_paused && part.reached > part.start && part.reached >= part.target)
        population->generations[part.reached].n_waiting++;
}

/* A running trial is on its way to every generation above the one it reached. */
static void count_coming(struct kd_population *population, const struct kd_history *history)
{
    for (int i = history->n_prior; i < history->n; i++) {
        if (!is_running(&history->trials[i]))
            continue;
        int reached = part_of(population, &history->trials[i]).reached;
        for (int h = reached + 1; h <= population->n; h++)
            population->generations[h].n_coming++;
    }
}

void kd_population_count(struct kd_population *population, const struct kd_history *history)
{
    kd_population_release(population);
    for (int i = history->n_prior; i < history->n; i++)
        count_trial(population, &history->trials[i]);
    count_coming(population, history);
}

void kd_population_release(struct kd_population *population)
{
    free(population->generations);
    *population = (struct kd_population){.interval = population->interval, .max = population->max};
}

static int best_first(const void *a, const void *b)
{
    const struct kd_member *x = a, *y = b;
    int order = (x->value > y->value) - (x->value < y->value);
    return order != 0 ? order : (x->trial > y->trial) - (x->trial < y->trial);
}

struct kd_member *kd_population_rank(const struct kd_population *population,
                                     const struct kd_history *history, int generation)
{
    int n = 0, n_reached = population->generations[generation].n_reached;
    struct kd_member *members = KD_NEW_ARRAY(struct kd_member, (size_t)n_reached + 1);
    for (int i = history->n_prior; i < history->n; i++) {
        const struct kd_observation *trial = &history->trials[i];
        struct part part = part_of(population, trial);
        if (generation <= part.start || generation > part.reached)
            continue;
        double value = value_at(population, trial, generation);
        members[n++] =
            (struct kd_member){.value = isfinite(value) ? value : INFINITY,
                               .trial = i,
                               .is_waiting = trial->is_paused && part.reached == generation &&
                                             part.target <= generation,
                               .reached = part.reached};
    }
    qsort(members, (size_t)n, sizeof *members, best_first);
    return members;
}
