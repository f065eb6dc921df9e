/* tail.h - following a command's log: complete lines as they arrive, and the metrics in them.
 *
 * What comes out is a function of the log's bytes alone, so after a coordinator's death the log is
 * read again from the start and only what lies beyond the committed offset is given out: no line is
 * lost and none counts twice. '\n' and '\r' both end a line; a line longer than 64 KiB is cut
 * there. */
#ifndef KD_TAIL_H
#define KD_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/base/error.h"
#include "coordinator/spec/experiment.h"
#include "coordinator/store/store.h"

struct kd_tail;

/* path may not exist yet. Lines that end at or before `committed` give no points. */
struct kd_tail *kd_tail_new(const struct kd_experiment *experiment, const char *path,
                            int64_t committed, struct kd_error *err);
void kd_tail_free(struct kd_tail *tail);

struct kd_tail_news {
    const struct kd_metric_point *points; /* borrowed until the next call */
    int n_points;
    int64_t offset; /* how far the log is read, in whole lines */
    bool is_more;   /* at most a megabyte is read at a time: call again */
};

/* Reads what is there. at_end: the program is over, so a last line without an end counts too. */
struct kd_tail_news kd_tail_read(struct kd_tail *tail, bool at_end);

int64_t kd_tail_offset(const struct kd_tail *tail); /* bytes read so far */

/* Reports without a step go on counting after `step`: a command that resumes from its checkpoint
 * does not start at 1. */
void kd_tail_count_from(struct kd_tail *tail, int64_t step);

/* The last lines of a file (at most 20, of its last 32 KiB), for people: each on a line of its own,
 * indented. Owned by the caller; empty when there is nothing. */
char *kd_last_lines(const char *path);

#endif
