/* describe.h - the registries of models as JSON, for katydid-trainer --describe: an array of
 * {"name", "summary", "fields": [...]}. */
#ifndef KD_TRAINER_MODELS_DESCRIBE_H
#define KD_TRAINER_MODELS_DESCRIBE_H

#include "coordinator/base/json.h"

void kd_models_describe(struct kd_json *json); /* layers */
void kd_presets_describe(struct kd_json *json);

#endif
