/* population.h - the members of population-based training by generations, counted from a history.
 *
 * Generation h is reached at step h * interval, the last one at max: h = 1 .. n_generations. A
 * trial takes part in the generations after the one whose checkpoint it started from, up to the
 * last that it reported with a finite value. */
#ifndef KD_SEARCH_POPULATION_H
#define KD_SEARCH_POPULATION_H

#include "search/history.h"

enum { KD_POPULATION_MOST = 100000 }; /* generations */

struct kd_generation {
    int n_reached; /* trials that have a value here */
    int n_passed;  /* of these: sent on to the next one */
    int n_waiting; /* of these: paused here */
    int n_coming;  /* running below, started below */
};

struct kd_population {
    int64_t interval, max;             /* max 0 = not known: as many as can be */
    int n;                             /* generations that were reached, 1 .. n */
    struct kd_generation *generations; /* owned; n + 1, from 1 */
    int n_founders; /* trials without parent that reached the first generation or are on their way there */
    int n_clones; /* trials with a parent */
    int n_dead; /* trials that ended on the way between two generations, or as clones before their first */
    int n_running;
};

/* A member in the ranking of a generation. */
struct kd_member {
    double value;
    int trial;
    bool is_waiting;
    int reached; /* the last generation it reached */
};

/* Counts a history; interval and max are set. */
void kd_population_count(struct kd_population *, const struct kd_history *);
void kd_population_release(struct kd_population *);

/* The step of a generation. */
int64_t kd_population_step(const struct kd_population *, int generation);

/* The last generation there can be; KD_POPULATION_MOST when max is not known. */
int kd_population_last(const struct kd_population *);

/* Who reached the generation, best first, ties by number: n_reached members, to be freed. */
struct kd_member *kd_population_rank(const struct kd_population *, const struct kd_history *,
                                     int generation);

#endif
