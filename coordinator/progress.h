/* progress.h - what a person sees of a run: on a terminal a live picture, elsewhere one line per
 * event. On stderr; the result itself goes to stdout by the command. */
#ifndef KD_PROGRESS_H
#define KD_PROGRESS_H

#include "coordinator/loop.h"

struct kd_progress;

/* is_live: draw on the terminal; else a line per event. */
struct kd_progress *kd_progress_new(bool is_live);
void kd_progress_free(struct kd_progress *progress); /* leaves the last picture standing */
struct kd_watcher kd_progress_watcher(struct kd_progress *progress);

/* "lr=0.01 units=64": the point for reading, doubles to six digits; owned by the caller. */
char *kd_point_text(const struct kd_space *space, const double *values);

#endif
