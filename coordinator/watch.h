/* watch.h - the metrics that a trial is judged by, and the points that each of them has reported.
 *
 * Watched are the objectives' metrics, then the constraints': watch 0 is the first objective's,
 * whose points are the reports of the history (search/history.h), which stoppers see. The points of
 * the other watches are kept here, in the user's direction. One metric may stand in several
 * watches. Pure. */
#ifndef KD_WATCH_H
#define KD_WATCH_H

#include "coordinator/base/arr.h"
#include "coordinator/event.h"
#include "coordinator/spec/experiment.h"
#include "search/history.h"

int kd_watch_count(const struct kd_experiment *experiment);
const char *kd_watch_metric(const struct kd_experiment *experiment, int watch); /* borrowed */

typedef KD_ARR(struct kd_point_report) kd_point_reports;

/* Appends a report for each watch of this metric. */
void kd_watch_point(const struct kd_experiment *experiment, const char *metric, int64_t step,
                    double value, kd_point_reports *reports);

/* The points of one metric of one trial, steps ascending. */
struct kd_series {
    struct kd_report *points; /* owned */
    int n, capacity;
};

void kd_series_put(struct kd_series *series, struct kd_report point); /* replaces the same step */
void kd_series_cut(struct kd_series *series, int64_t step);           /* forgets what is beyond */
void kd_series_release(struct kd_series *series);

/* The point that counts among the finite ones. NaN when none is finite, or the last one is NaN:
 * diverged. */
double kd_points_pick(const struct kd_report *points, int n, enum kd_metric_pick pick);

/* The newest finite one, NaN when there is none. */
double kd_points_latest(const struct kd_report *points, int n);

#endif
