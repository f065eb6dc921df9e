/* topics.h - what `katydid explain` can explain; each topic fills a table from the registry that the code uses. */
#ifndef KD_COMMANDS_TOPICS_H
#define KD_COMMANDS_TOPICS_H

#include "coordinator/base/error.h"
#include "coordinator/commands/table.h"

struct kd_topic {
    const char *name, *kind, *summary;
    int (*fill)(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err);
    const void *about; /* the strategy or stopper */
};

/* All topics, in order; ends with a NULL name. Owned: free() it. */
struct kd_topic *kd_topics_all(void);

#endif
