/* preset.h - one preset = one file with a vtable, one line in presets.def: a whole model, or a part
 * of one, by a few numbers. */
#ifndef KD_TRAINER_PRESET_H
#define KD_TRAINER_PRESET_H

#include <jansson.h>

#include "trainer/models/layer.h"

struct kd_preset {
    const char *name, *summary;
    const struct kd_field *fields; /* ends with a NULL name */
    /* The layers that it stands for, as a user would write them; values in the order of fields. A
     * new reference. NULL: the shape it got and the shape it needs (no pointer). */
    json_t *(*layers)(const double *values, const struct kd_input *input, struct kd_error *err);
};

extern const struct kd_preset *const kd_presets[]; /* NULL-terminated */
const struct kd_preset *kd_preset_find(const char *name);

#endif
