#include "search/stopper.h"

#include <string.h>

#include "coordinator/base/mem.h"

#define KD_STOPPER_PLANNED(name, what)
#define KD_STOPPER(id) extern const struct kd_stopper kd_stopper_##id;
#include "search/stoppers.def"
#undef KD_STOPPER

const struct kd_stopper *const kd_stoppers[] = {
#define KD_STOPPER(id) &kd_stopper_##id,
#include "search/stoppers.def"
#undef KD_STOPPER
#undef KD_STOPPER_PLANNED
    NULL,
};

static const struct {
    const char *name, *what;
} planned[] = {
#define KD_STOPPER(id)
#define KD_STOPPER_PLANNED(name, what) {name, what},
#include "search/stoppers.def"
#undef KD_STOPPER
#undef KD_STOPPER_PLANNED
    {NULL, NULL}, /* there may be none */
};

const struct kd_stopper *kd_stopper_find(const char *name)
{
    for (int i = 0; kd_stoppers[i]; i++) {
        if (strcmp(kd_stoppers[i]->name, name) == 0)
            return kd_stoppers[i];
    }
    return NULL;
}

const char *kd_stopper_planned(const char *name)
{
    for (int i = 0; planned[i].name; i++) {
        if (strcmp(planned[i].name, name) == 0)
            return planned[i].what;
    }
    return NULL;
}

unsigned kd_stopper_can(const struct kd_stopper *stopper, const struct kd_settings *settings)
{
    return stopper->can_with ? stopper->can_with(settings) : stopper->can;
}

int kd_stopper_fits(const struct kd_stopper *stopper, const struct kd_task *task,
                    struct kd_error *err)
{
    if (task->n_objectives > 1)
        return kd_fail(err,
                       "there are %d objectives, and early stopping by %s compares trials by one; "
                       "leave earlyStopping out",
                       task->n_objectives, stopper->name);
    if ((stopper->needs & KD_STOPPER_NEEDS_MAX) && task->fidelity_max < 1)
        return kd_fail(err, "%s needs the length of a whole trial; give fidelity.max",
                       stopper->name);
    return 0;
}
