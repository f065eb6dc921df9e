#include "trainer/optim/optimizer.h"

#include <string.h>

#include "coordinator/base/mem.h"
#include "trainer/optim/fields.h"

#define KD_OPTIMIZER(name) extern const struct kd_optimizer kd_optimizer_##name;
#include "trainer/optim/optimizers.def"
#undef KD_OPTIMIZER

const struct kd_optimizer *const kd_optimizers[] = {
#define KD_OPTIMIZER(name) &kd_optimizer_##name,
#include "trainer/optim/optimizers.def"
#undef KD_OPTIMIZER
    NULL,
};

const struct kd_optimizer *kd_optimizer_find(const char *name)
{
    for (int i = 0; kd_optimizers[i]; i++)
        if (strcmp(kd_optimizers[i]->name, name) == 0)
            return kd_optimizers[i];
    return NULL;
}

void kd_adam_set(const double *values, struct kd_hyper *hyper)
{
    hyper->lr = (float)values[0];
    hyper->weight_decay = (float)values[1];
    hyper->beta1 = (float)values[2];
    hyper->beta2 = (float)values[3];
    hyper->epsilon = (float)values[4];
}

static int fail_unknown(const char *name, struct kd_error *err)
{
    const char *names[KD_COUNT(kd_optimizers)];
    for (size_t i = 0; i < KD_COUNT(names); i++)
        names[i] = kd_optimizers[i] ? kd_optimizers[i]->name : NULL;
    return kd_fail_unknown(err, "/optimizer/name", "optimizer", name, names);
}

int kd_optimizer_read(const json_t *block, const struct kd_optimizer **optimizer,
                      struct kd_hyper *hyper, struct kd_error *err)
{
    const char *name = json_string_value(json_object_get(block, "name"));
    if (!name)
        return kd_fail(err, "/optimizer: must be a mapping with a name, such as "
                            "{name: sgd, lr: 0.1}");
    const struct kd_optimizer *found = kd_optimizer_find(name);
    if (!found)
        return fail_unknown(name, err);
    double values[KD_FIELDS_MAX];
    if (kd_fields_read(found->fields, block, "name", "/optimizer", values, err) != 0)
        return -1;
    *hyper = (struct kd_hyper){.step = 1};
    found->set(values, hyper);
    *optimizer = found;
    return 0;
}
