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
    for (size_t i = 0; i < KD_COUNT(planned); i++) {
        if (strcmp(planned[i].name, name) == 0)
            return planned[i].what;
    }
    return NULL;
}
