/* feed.h - telling a strategy worker what has happened: the study's history as TELL entries, and back.
 *
 * Both ends are here, and replay uses the same two functions, so a replayed strategy sees exactly what the live one saw. */
#ifndef KD_FEED_H
#define KD_FEED_H

#include <jansson.h>

#include "coordinator/base/error.h"
#include "coordinator/base/json.h"
#include "search/history.h"

/* How far one listener has been told. */
struct kd_feed {
    int n_trials, n_done;
};

/* Writes entries for what lies between the feed and (n_trials, n_done) into an open JSON array until j's text has
 * most_bytes (one entry may go beyond), and moves the feed on. Returns whether anything is left for another message. */
bool kd_feed_write(struct kd_feed *feed, const struct kd_history *history, int n_trials, int n_done,
                   size_t most_bytes, struct kd_json *j);

/* Applies such entries to the listener's own history. */
int kd_feed_read(const json_t *entries, struct kd_history *history, struct kd_error *err);

#endif
