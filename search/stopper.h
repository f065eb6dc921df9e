/* stopper.h - history to go on or stop (Katib's "early stopping"); one stopper is one file and one line in
 * stoppers.def. Pure, like strategies: it looks at the history, the settings and the report, nothing else. */
#ifndef KD_SEARCH_STOPPER_H
#define KD_SEARCH_STOPPER_H

#include "search/history.h"
#include "search/setting.h"

enum kd_verdict { KD_GO, KD_STOP, KD_PAUSE };

struct kd_stopper {
    const char *name, *summary;
    const struct kd_setting *settings;
    /* The trial `number` has just reported; the report is in the history already. */
    enum kd_verdict (*judge)(const struct kd_history *, const struct kd_settings *, int number,
                             const struct kd_report *);
    /* Checks settings that depend on each other; may be NULL. */
    int (*check)(const struct kd_settings *, struct kd_error *);
};

extern const struct kd_stopper *const kd_stoppers[]; /* NULL-terminated */
const struct kd_stopper *kd_stopper_find(const char *name);

/* As kd_strategy_planned. */
const char *kd_stopper_planned(const char *name);

#endif
