/* arena.h - what of a plan is saved: its flat arenas, and the named tensors that they are made of.
 *
 *     layers.3.weight                  a parameter
 *     optimizer.0.layers.3.weight      the optimizer's state for it, slot 0
 *     average.layers.3.weight          the moving average of it, where the trial keeps one
 *     layers.4.running_mean            a running statistic, under its own name
 *
 * The tensors of an arena lie in it one after the other, so in a file that has them in this order
 * an arena is one stretch. */
#ifndef KD_TRAINER_ARENA_H
#define KD_TRAINER_ARENA_H

#include "trainer/models/plan.h"
#include "trainer/safetensors.h"

enum kd_arena_kind {
    KD_ARENA_PARAMETERS,
    KD_ARENA_SLOT_0,
    KD_ARENA_SLOT_1,
    KD_ARENA_AVERAGE,
    KD_ARENA_STATISTICS,
    KD_N_ARENAS
};

struct kd_arena {
    enum kd_arena_kind kind;
    struct kd_plan *plan;
    float *values; /* memory of the plan's device: [begin, end) of the arena's n */
    int64_t n;
    int64_t begin, end; /* what this rank holds */
    bool is_sharded;    /* over the ranks by kd_comm_share; else every rank holds all of it */
};

/* The arenas that this trial has; returns how many. */
int kd_arenas_of(struct kd_plan *plan, int n_slots, struct kd_arena arenas[KD_N_ARENAS]);

int kd_arena_n_tensors(const struct kd_arena *arena, const struct kd_plan *plan);

/* *offset: where its values begin in the arena. */
struct kd_named_tensor kd_arena_tensor_at(const struct kd_arena *arena, const struct kd_plan *plan,
                                          int i, int64_t *offset);

/* Values [begin, end) of the arena, which this rank holds, as host memory: where they are, or
 * copied to `stage`, which has room for them (NULL where the host may use the arena:
 * kd_arena_in_place). */
const float *kd_arena_view(const struct kd_arena *arena, int64_t begin, int64_t end, float *stage);
float *kd_arena_in_place(const struct kd_arena *arena, int64_t at); /* value `at`, or NULL */

/* Host memory into values [begin, end), which this rank holds. */
void kd_arena_write(const struct kd_arena *arena, int64_t begin, int64_t end, const float *host);

/* Does a tensor of this name belong to the arena's kind? */
bool kd_arena_has_name(enum kd_arena_kind kind, const char *name);

#endif
