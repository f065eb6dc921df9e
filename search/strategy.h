/* strategy.h - history to next points (Katib's "algorithm"); one strategy is one file and one line
 * in strategies.def.
 *
 * A strategy is a function of (space, settings, seed, ordered history). It may cache, but asking
 * after a reload gives what asking before gave. Randomness comes from kd_rng_at(seed,
 * KD_STREAM(purpose, number of the trial that is being proposed)), never from a running generator.
 * It makes no system call, reads no clock, keeps no static state, and uses libm for sqrt, floor and
 * fabs only (special.h has the rest), so that a replay is bit-exact on every machine. */
#ifndef KD_SEARCH_STRATEGY_H
#define KD_SEARCH_STRATEGY_H

#include <stdint.h>

#include "search/history.h"
#include "search/setting.h"
#include "search/task.h"

enum kd_strategy_needs {
    KD_NEEDS_NUMERIC = 1 << 0,    /* no categorical parameter */
    KD_NEEDS_FINITE = 1 << 1,     /* every parameter has finitely many values */
    KD_NEEDS_OBJECTIVES = 1 << 2, /* two objectives at least */
};
enum kd_strategy_can {
    KD_CAN_CONDITIONS = 1 << 0,  /* conditional parameters */
    KD_CAN_OBJECTIVES = 1 << 1,  /* several objectives */
    KD_CAN_CONSTRAINTS = 1 << 2, /* constraints on what is measured */
};

/* Streams of random numbers: purpose 0 is a strategy's main one, 1 .. 126 are its own to give; 127
 * and above are the sampler's. Numbers stay below 2^56. */
#define KD_STREAM(purpose, number) ((uint64_t)(purpose) << 56 | (uint64_t)(number))

struct kd_strategy {
    const char *name, *summary;
    const struct kd_setting *settings; /* ends with a NULL name; may be NULL */
    unsigned needs, can;
    /* NULL and err when the strategy cannot serve this task or these settings. The space, borrowed,
     * outlives it. */
    void *(*new)(const struct kd_task *, const struct kd_settings *, uint64_t seed,
                 struct kd_error *);
    /* Proposes points for the trials numbered history->n, n+1, ...: writes up to n points of
     * n_params values each into `points`, returns how many; 0 = exhausted. Running trials are in
     * the history; a point of this very call counts as running for the ones after it. Inactive
     * parameters are made NaN by the sampler. */
    int (*ask)(void *self, const struct kd_history *, int n, double *points);
    void (*free)(void *self);
};

/* The registry: NULL-terminated, in the order of strategies.def; and one of them by name (aliases
 * too) or NULL. */
extern const struct kd_strategy *const kd_strategies[];
const struct kd_strategy *kd_strategy_find(const char *name);

/* Katib's and other names that are known and not built: a line on what they are, or NULL. So that
 * "not supported yet" is said of these and "unknown algorithm" of the rest. */
const char *kd_strategy_planned(const char *name);

/* A strategy at work: what the worker on the bus, replay and tests use. Beside the strategy's own
 * proposals it keeps the promises that hold for all of them:
 *
 *     enqueued     the first trials are the points that the user gave, in their order
 *     conditions   an inactive parameter is NaN
 *     no repeats   no point is asked for twice: a repeat is replaced by an unseen point, drawn by (seed, number); a
 *                  finite space whose every point has been proposed gives 0 */
struct kd_sampler;

/* `random_state`, when the settings have it, replaces the seed. NULL and err as in `new`. */
struct kd_sampler *kd_sampler_new(const struct kd_strategy *, const struct kd_task *,
                                  const struct kd_settings *, uint64_t seed, struct kd_error *);
void kd_sampler_free(struct kd_sampler *);

/* n points of n_params values, copied; a NaN is drawn from its parameter's distribution. */
void kd_sampler_enqueue(struct kd_sampler *, const double *points, int n);

int kd_sampler_ask(struct kd_sampler *, const struct kd_history *, int n, double *points);

/* Does the strategy fit the task? -1 and the reason when not (checks `needs` and `can`). */
int kd_strategy_fits(const struct kd_strategy *, const struct kd_task *, struct kd_error *);

/* Helps strategies whose points depend on each other: asks for one point after the other, each
 * counted as running for the ones after it. `one` returns 1, or 0 when exhausted. */
int kd_ask_in_turn(int (*one)(void *self, const struct kd_history *, double *point), void *self,
                   const struct kd_history *history, int n, double *points);

#endif
