/* topics.h - what `katydid explain` can explain; each topic fills a table from the registry that
 * the code uses. */
#ifndef KD_COMMANDS_TOPICS_H
#define KD_COMMANDS_TOPICS_H

#include "coordinator/base/error.h"
#include "coordinator/commands/table.h"

struct kd_topic {
    const char *name, *kind, *summary;
    int (*fill)(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err);
    const void *about; /* the strategy or stopper, or a part of the trainer's description */
};

struct kd_topics {
    struct kd_topic *items; /* in order; ends with a NULL name */
    void *description;      /* of the trainer, which items borrow from */
};

struct kd_topics kd_topics_all(void);
void kd_topics_release(struct kd_topics *topics);

#endif
