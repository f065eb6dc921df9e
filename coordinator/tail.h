/* tail.h - following a command's log: complete lines as they arrive, and the metrics in them.
 *
 * What comes out is a function of the log's bytes alone, so after a coordinator's death the log is read again from the
 * start and only what lies beyond the committed offset is given out: no line is lost and none counts twice. '\n' and '\r'
 * both end a line; a line longer than 64 KiB is cut there. */
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

/* Reads what is there; at_end: the program is over, a last line without an end counts too. Returns the number of points;
 * *points is valid until the next call. *offset: how far the log is read. */
int kd_tail_read(struct kd_tail *tail, bool at_end, const struct kd_metric_point **points,
                 int64_t *offset);

/* The last lines (at most 20), for people: each on its own line, indented. Owned by the caller. */
char *kd_tail_last_lines(const struct kd_tail *tail);

#endif
