#include "trainer/arena.h"

#include <stdio.h>
#include <string.h>

#include "trainer/models/plan_update.h"

static const char *const prefixes[KD_N_ARENAS] = {
    [KD_ARENA_PARAMETERS] = "",         [KD_ARENA_SLOT_0] = "optimizer.0.",
    [KD_ARENA_SLOT_1] = "optimizer.1.", [KD_ARENA_AVERAGE] = "average.",
    [KD_ARENA_STATISTICS] = "",
};

static void add_whole(struct kd_arena *arenas, int *n, struct kd_plan *plan,
                      enum kd_arena_kind kind, float *values, int64_t size)
{
    if (values && size > 0)
        arenas[(*n)++] =
            (struct kd_arena){.kind = kind, .plan = plan, .values = values, .n = size, .end = size};
}

static void add_slot(struct kd_arena *arenas, int *n, struct kd_plan *plan, int slot)
{
    struct kd_arena arena = {
        .kind = (enum kd_arena_kind)(KD_ARENA_SLOT_0 + slot),
        .plan = plan,
        .values = kd_plan_state(plan, slot),
        .n = kd_plan_n_parameters(plan),
        .is_sharded = kd_plan_state_is_sharded(plan),
    };
    kd_plan_state_range(plan, &arena.begin, &arena.end);
    arenas[(*n)++] = arena;
}

int kd_arenas_of(struct kd_plan *plan, int n_slots, struct kd_arena arenas[KD_N_ARENAS])
{
    int64_t n_parameters = kd_plan_n_parameters(plan);
    int n = 0;
    add_whole(arenas, &n, plan, KD_ARENA_PARAMETERS, kd_plan_parameters(plan), n_parameters);
    for (int slot = 0; slot < n_slots; slot++)
        add_slot(arenas, &n, plan, slot);
    add_whole(arenas, &n, plan, KD_ARENA_AVERAGE, kd_plan_average(plan), n_parameters);
    add_whole(arenas, &n, plan, KD_ARENA_STATISTICS, kd_plan_statistics(plan),
              kd_plan_n_statistics(plan));
    return n;
}

int kd_arena_n_tensors(const struct kd_arena *arena, const struct kd_plan *plan)
{
    return arena->kind == KD_ARENA_STATISTICS ? kd_plan_n_statistic_tensors(plan)
                                              : kd_plan_n_tensors(plan);
}

struct kd_named_tensor kd_arena_tensor_at(const struct kd_arena *arena, const struct kd_plan *plan,
                                          int i, int64_t *offset)
{
    struct kd_plan_tensor tensor = arena->kind == KD_ARENA_STATISTICS
                                       ? kd_plan_statistic_tensor_at(plan, i)
                                       : kd_plan_tensor_at(plan, i);
    struct kd_named_tensor named = {.n_dims = tensor.n_dims};
    memcpy(named.shape, tensor.shape, sizeof named.shape);
    snprintf(named.name, sizeof named.name, "%s%s", prefixes[arena->kind], tensor.name);
    *offset = tensor.offset;
    return named;
}

static float *place_of(const struct kd_arena *arena, int64_t at)
{
    return arena->values + (at - arena->begin);
}

float *kd_arena_in_place(const struct kd_arena *arena, int64_t at)
{
    return kd_plan_is_on_host(arena->plan) ? place_of(arena, at) : NULL;
}

const float *kd_arena_view(const struct kd_arena *arena, int64_t begin, int64_t end, float *stage)
{
    const float *place = kd_arena_in_place(arena, begin);
    if (place)
        return place;
    kd_plan_read(arena->plan, stage, place_of(arena, begin), end - begin);
    return stage;
}

void kd_arena_write(const struct kd_arena *arena, int64_t begin, int64_t end, const float *host)
{
    kd_plan_write(arena->plan, place_of(arena, begin), host, end - begin);
}

bool kd_arena_has_name(enum kd_arena_kind kind, const char *name)
{
    if (prefixes[kind][0])
        return strncmp(name, prefixes[kind], strlen(prefixes[kind])) == 0;
    for (int i = 0; i < KD_N_ARENAS; i++)
        if (prefixes[i][0] && strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return false;
    return true;
}
