/* feed.h - telling a strategy worker what has happened: the study's history as TELL entries, and
 * back.
 *
 * Both ends are here, and replay uses the same two functions, so a replayed strategy sees exactly
 * what the live one saw. The trials of an earlier experiment are told first; they stand at the
 * front of the listener's history, and the study's own trials keep their numbers on the way. */
#ifndef KD_FEED_H
#define KD_FEED_H

#include <jansson.h>

#include "coordinator/base/error.h"
#include "coordinator/base/json.h"
#include "search/history.h"

/* A trial that is not over and has something to teach: it came to stand at a rung, or goes on from
 * there. The history holds only where a trial stands now, so the study keeps all of them in order:
 * a basis is then a prefix. */
struct kd_halt {
    int trial;
    bool goes_on;
    int64_t step; /* its last report at the rung; of one that goes on until where, 0 = to the end */
    double value; /* of that report, minimised */
};

/* What is told: all of `priors` (a history of nothing else), then the first n_trials trials,
 * n_halts halts and n_done ends of `own`. */
struct kd_feed_source {
    const struct kd_history *priors, *own; /* borrowed */
    int n_trials, n_done;
    const struct kd_halt *halts; /* borrowed; NULL = there are none */
    int n_halts;
};

/* How far one listener has been told. */
struct kd_feed {
    int n_priors, n_trials, n_done, n_halts;
};

/* Writes entries for what lies between the feed and the source into an open JSON array until j's
 * text has most_bytes (one entry may go beyond), and moves the feed on. Returns whether anything is
 * left for another message. */
bool kd_feed_write(struct kd_feed *feed, const struct kd_feed_source *source, size_t most_bytes,
                   struct kd_json *j);

/* One of them, for whoever reads an earlier experiment: the last report, when there is one, and
 * what was measured. */
void kd_feed_write_prior(struct kd_json *j, const struct kd_history *priors, int number);

/* Applies such entries to the listener's own history. */
int kd_feed_read(const json_t *entries, struct kd_history *history, struct kd_error *err);

#endif
