/* check.h - `katydid-trainer --check`: is this `trainer:` block sound? For the coordinator, which
 * does not know the trainer's registries. */
#ifndef KD_TRAINER_CHECK_H
#define KD_TRAINER_CHECK_H

#include <jansson.h>

#include "coordinator/base/str.h"
#include "trainer/config.h"

/* Everything kd_config_read finds, and what only the data can tell: the model against the number of
 * features, labels against outputs. Files above 4 MiB (all together) are looked at only at their
 * beginning, as a spec is checked at many points. */
void kd_check_trainer(json_t *block, const char *base_dir, struct kd_problems *problems);

/* request: {"trainer": {...}, "base_dir": "..."}; answer: {"errors": [{"pointer": "...", "message":
 * "..."}]}. -1: the request itself is not of this form. */
int kd_check_answer(const json_t *request, struct kd_str *answer, struct kd_error *err);

#endif
