#include "trainer/models/plan_update.h"
#include "trainer/optim/fields.h"

extern const struct kd_optimizer kd_optimizer_adamw;

static const struct kd_field fields[] = {
    KD_LR_FIELD(0.001),
    KD_WEIGHT_DECAY_FIELD(0.01),
    KD_ADAM_FIELDS(0.999, 1e-8),
    {.name = NULL},
};

static void step(const struct kd_update_arena *arena)
{
    kd_update_by(arena, KD_OP_adamw);
}

const struct kd_optimizer kd_optimizer_adamw = {
    .name = "adamw",
    .summary = "Adam with decoupled weight decay",
    .fields = fields,
    .n_slots = 2,
    .set = kd_adam_set,
    .step = step,
};
