/* trainer_topics.h - what katydid-trainer knows, as topics of `katydid explain`: its block, layers
 * and presets, losses, optimizers, schedules, data formats, metrics. Read from `katydid-trainer
 * --describe`, since the coordinator knows none of them by itself. */
#ifndef KD_COMMANDS_TRAINER_TOPICS_H
#define KD_COMMANDS_TRAINER_TOPICS_H

#include <jansson.h>

#include "coordinator/commands/topics.h"

/* The description, or NULL where there is no trainer beside katydid. A new reference, which topics
 * borrow from. */
json_t *kd_trainer_description(void);

/* Calls `add` for each topic of the description. */
void kd_trainer_topics(const json_t *description, void (*add)(void *ud, struct kd_topic topic),
                       void *ud);

#endif
