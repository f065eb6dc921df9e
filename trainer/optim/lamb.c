#include "trainer/models/plan_update.h"
#include "trainer/optim/fields.h"

extern const struct kd_optimizer kd_optimizer_lamb;

static const struct kd_field fields[] = {
    KD_LR_FIELD(0.002),
    KD_WEIGHT_DECAY_FIELD(0.01),
    KD_ADAM_FIELDS(0.999, 1e-6),
    {.name = NULL},
};

static void step(const struct kd_update_arena *arena)
{
    kd_update_run(arena, KD_CALL(lamb_direction, .parameters = arena->parameters,
                                 .gradients = arena->gradients,
                                 .state = {arena->state[0], arena->state[1]}, .norms = arena->norms,
                                 .ranges = arena->ranges, .n_ranges = arena->n_ranges,
                                 .hyper = arena->hyper, .scale = arena->scale));
    kd_update_sum_norms(arena);
    kd_update_run(arena, KD_CALL(lamb_apply, .parameters = arena->parameters,
                                 .direction = arena->gradients, .norms = arena->norms,
                                 .ranges = arena->ranges, .n_ranges = arena->n_ranges,
                                 .hyper = arena->hyper, .scale = arena->scale));
}

const struct kd_optimizer kd_optimizer_lamb = {
    .name = "lamb",
    .summary = "Adam's direction, scaled to the norm of each tensor: for large batches",
    .fields = fields,
    .n_slots = 2,
    .spoils_gradients = true,
    .set = kd_adam_set,
    .step = step,
};
