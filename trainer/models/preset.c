#include "trainer/models/preset.h"

#include <string.h>

#define KD_PRESET(name) extern const struct kd_preset kd_preset_##name;
#include "trainer/models/presets.def"
#undef KD_PRESET

const struct kd_preset *const kd_presets[] = {
#define KD_PRESET(name) &kd_preset_##name,
#include "trainer/models/presets.def"
#undef KD_PRESET
    NULL,
};

const struct kd_preset *kd_preset_find(const char *name)
{
    for (int i = 0; kd_presets[i]; i++)
        if (strcmp(kd_presets[i]->name, name) == 0)
            return kd_presets[i];
    return NULL;
}
