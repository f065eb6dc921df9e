#include "trainer/models/plan_update.h"
#include "trainer/optim/fields.h"

extern const struct kd_optimizer kd_optimizer_lion;

/* The paper's advice: a rate three to ten times smaller than AdamW's, a decay as much greater. */
static const struct kd_field fields[] = {
    KD_LR_FIELD(0.0001),
    KD_WEIGHT_DECAY_FIELD(0.1),
    KD_BETA_FIELD("beta1", 0.9, "share of the momentum in the step's direction"),
    KD_BETA_FIELD("beta2", 0.99, "decay of the momentum"),
    {.name = NULL},
};

static void set(const double *values, struct kd_hyper *hyper)
{
    hyper->lr = (float)values[0];
    hyper->weight_decay = (float)values[1];
    hyper->beta1 = (float)values[2];
    hyper->beta2 = (float)values[3];
}

static void step(const struct kd_update_arena *arena)
{
    kd_update_by(arena, KD_OP_lion);
}

const struct kd_optimizer kd_optimizer_lion = {
    .name = "lion",
    .summary = "the sign of a momentum: one slot of state",
    .fields = fields,
    .n_slots = 1,
    .set = set,
    .step = step,
};
