/* progress.h - what a person sees of a training without a coordinator.
 *
 * Reports are lines of name=value on stdout, wherever it goes. On a terminal one more line on
 * stderr is drawn again and again in its place: how far, how good, how long still; where both are
 * the same terminal the reports scroll above it. Rank 0's business. */
#ifndef KD_TRAINER_PROGRESS_H
#define KD_TRAINER_PROGRESS_H

#include "trainer/report.h"

struct kd_progress {
    const char *unit; /* of reports: "epoch" or "step" */
    int64_t batch_size;
    int terminal;    /* descriptor to ask for the width; -1: stderr is none, nothing is drawn */
    bool is_shared;  /* stdout is a terminal too */
    bool is_relayed; /* through mpirun, which may change the order of stdout and stderr */
    bool is_old;     /* something happened since the line was drawn */
    bool is_on_line; /* the cursor stands behind the line */
    struct kd_course course;
    int64_t step, began_us, drawn_us;
    struct kd_report last; /* the newest value of every metric */
};

/* is_launched: what this process writes passes through mpirun, its parent, so that mpirun's
 * terminal counts. Nothing is drawn where TERM is missing or "dumb". */
void kd_progress_init(struct kd_progress *progress, const char *unit, int64_t batch_size,
                      bool is_launched);
void kd_progress_release(struct kd_progress *progress); /* leaves the last line standing */

void kd_progress_begin(struct kd_progress *progress, const struct kd_course *course);
void kd_progress_report(struct kd_progress *progress, const struct kd_report *report);
void kd_progress_tick(struct kd_progress *progress); /* draws when it is time */

#endif
