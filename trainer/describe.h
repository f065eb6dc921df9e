/* describe.h - `katydid-trainer --describe`: the whole grammar of the `trainer:` block as JSON,
 * from the registries. */
#ifndef KD_TRAINER_DESCRIBE_H
#define KD_TRAINER_DESCRIBE_H

#include "coordinator/base/str.h"

/* {"version", "trainer": {"fields": [...]}, "data": {"fields": [...], "formats": [...]}, "layers":
 * [...],
 *  "losses": [...], "optimizers": [...], "schedules": [...], "backends": [...], "metrics": [...]}
 */
void kd_describe_trainer(struct kd_str *out);

#endif
