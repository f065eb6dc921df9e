#include "trainer/models/plan_update.h"
#include "trainer/optim/fields.h"

extern const struct kd_optimizer kd_optimizer_sgd;

static const struct kd_field fields[] = {
    KD_LR_FIELD(0.1),
    {.name = "momentum",
     .fallback = 0,
     .min = 0,
     .max = 1,
     .below_max = true,
     .help = "how much of the last step's direction is kept"},
    KD_WEIGHT_DECAY_FIELD(0),
    {.name = "nesterov",
     .kind = KD_FIELD_SWITCH,
     .help = "the step looks ahead by the momentum (Nesterov's)"},
    {.name = NULL},
};

static void set(const double *values, struct kd_hyper *hyper)
{
    hyper->lr = (float)values[0];
    hyper->momentum = (float)values[1];
    hyper->weight_decay = (float)values[2];
    hyper->nesterov = values[3] != 0;
}

static void step(const struct kd_update_arena *arena)
{
    kd_update_by(arena, KD_OP_sgd);
}

const struct kd_optimizer kd_optimizer_sgd = {
    .name = "sgd",
    .summary = "stochastic gradient descent with momentum",
    .fields = fields,
    .n_slots = 1,
    .set = set,
    .step = step,
};
