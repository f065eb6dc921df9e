/* journal.h - the study's events in the store: written as they come, read back to resume or to
 * replay.
 *
 * Resuming applies every event again to a fresh study. Replaying does the same and compares on the
 * way: each decision with the recorded one, each suggestion with what the strategy says now from
 * the same basis, bit for bit. */
#ifndef KD_JOURNAL_H
#define KD_JOURNAL_H

#include "coordinator/store/store.h"
#include "coordinator/study.h"

int kd_journal_write_event(struct kd_store *store, int64_t experiment, const struct kd_study *study,
                           const struct kd_event *event, struct kd_error *err);
int kd_journal_write_action(struct kd_store *store, int64_t experiment, double at,
                            const struct kd_action *action, struct kd_error *err);

/* Brings a fresh study to where the journal ends. */
int kd_journal_resume(struct kd_store *store, int64_t experiment, struct kd_study *study,
                      struct kd_error *err);

struct kd_replay {
    int64_t n_events, n_decisions, n_suggestions;
    int64_t n_differences;
    char *first_difference; /* owned; NULL = none */
};

/* The same, comparing. -1: the journal could not be read; differences are counted, not failures. */
int kd_journal_replay(struct kd_store *store, int64_t experiment, struct kd_study *study,
                      struct kd_replay *replay, struct kd_error *err);

#endif
