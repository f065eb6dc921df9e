/* strategy.h - history to next points (Katib's "algorithm"); one strategy is one file and one line in
 * strategies.def.
 *
 * A strategy is a function of (space, settings, seed, ordered history). It may cache, but asking after a reload
 * gives what asking before gave. Randomness comes from kd_rng_at(seed, stream) with the number of the trial that is
 * being proposed in the stream, never from a running generator. It makes no system call, reads no clock, keeps no
 * static state, and uses libm for sqrt, floor and fabs only (special.h has the rest), so that a replay is bit-exact
 * on every machine. */
#ifndef KD_SEARCH_STRATEGY_H
#define KD_SEARCH_STRATEGY_H

#include <stdint.h>

#include "search/history.h"
#include "search/setting.h"
#include "search/space.h"

enum kd_strategy_needs {
    KD_NEEDS_NUMERIC = 1 << 0, /* no categorical parameter */
    KD_NEEDS_FINITE = 1 << 1,  /* every parameter has finitely many values */
};
enum kd_strategy_can {
    KD_CAN_CONDITIONS = 1 << 0,
    KD_CAN_OBJECTIVES = 1 << 1,
    KD_CAN_CONSTRAINTS = 1 << 2,
};

struct kd_strategy {
    const char *name, *summary;
    const struct kd_setting *settings; /* ends with a NULL name; may be NULL */
    unsigned needs, can;
    /* NULL and err when the strategy cannot serve this space or these settings. The space, borrowed, outlives it. */
    void *(*new)(const struct kd_space *, const struct kd_settings *, uint64_t seed,
                 struct kd_error *);
    /* Proposes points for the trials numbered history->n, n+1, ...: writes up to n points of n_params values each
     * into `points`, returns how many; 0 = exhausted. Running trials are in the history; a point of this very call
     * counts as running for the ones after it. */
    int (*ask)(void *self, const struct kd_history *, int n, double *points);
    void (*free)(void *self);
};

/* The registry: NULL-terminated, in the order of strategies.def; and one of them by name (aliases too) or NULL. */
extern const struct kd_strategy *const kd_strategies[];
const struct kd_strategy *kd_strategy_find(const char *name);

/* Katib's and other names that are known and not built: a line on what they are, or NULL. So that "not supported yet"
 * is said of these and "unknown algorithm" of the rest. */
const char *kd_strategy_planned(const char *name);

/* A strategy at work: what the worker on the bus, replay and tests use. Beside the strategy's own proposals it keeps
 * one promise for all of them: a finite space is never asked twice for the same point (a repeat is replaced by an
 * unseen point, drawn by (seed, number)), and when every point has been proposed the answer is 0. */
struct kd_sampler;

/* `random_state`, when the settings have it, replaces the seed. NULL and err as in `new`. */
struct kd_sampler *kd_sampler_new(const struct kd_strategy *, const struct kd_space *,
                                  const struct kd_settings *, uint64_t seed, struct kd_error *);
int kd_sampler_ask(struct kd_sampler *, const struct kd_history *, int n, double *points);
void kd_sampler_free(struct kd_sampler *);

/* Does the strategy fit the space? -1 and the reason when not (checks `needs`). */
int kd_strategy_fits(const struct kd_strategy *, const struct kd_space *, struct kd_error *);

#endif
