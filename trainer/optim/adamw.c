#include "trainer/models/plan_update.h"
#include "trainer/optim/fields.h"

extern const struct kd_optimizer kd_optimizer_adamw;

static const struct kd_field fields[] = {
    KD_LR_FIELD(0.001),
    KD_WEIGHT_DECAY_FIELD(0.01),
    {.name = "beta1",
     .fallback = 0.9,
     .min = 0,
     .max = 0.9999999, /* the last one that is below 1 as a float too */
     .help = "decay of the running mean of gradients"},
    {.name = "beta2",
     .fallback = 0.999,
     .min = 0,
     .max = 0.9999999, /* the last one that is below 1 as a float too */
     .help = "decay of the running mean of squared gradients"},
    {.name = "epsilon",
     .fallback = 1e-8,
     .min = 0,
     .max = 1,
     .help = "added to the root of the squared gradients' mean"},
    {.name = NULL},
};

static void set(const double *values, struct kd_hyper *hyper)
{
    hyper->lr = (float)values[0];
    hyper->weight_decay = (float)values[1];
    hyper->beta1 = (float)values[2];
    hyper->beta2 = (float)values[3];
    hyper->epsilon = (float)values[4];
}

static void step(struct kd_plan *plan, const struct kd_hyper *hyper)
{
    kd_plan_update(plan, KD_OP_adamw, 2, hyper);
}

const struct kd_optimizer kd_optimizer_adamw = {
    .name = "adamw",
    .summary = "Adam with decoupled weight decay",
    .fields = fields,
    .n_slots = 2,
    .set = set,
    .step = step,
};
