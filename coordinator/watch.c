#include "coordinator/watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

int kd_watch_count(const struct kd_experiment *experiment)
{
    return kd_experiment_n_objectives(experiment) + experiment->n_constraints;
}

const char *kd_watch_metric(const struct kd_experiment *experiment, int watch)
{
    int n_objectives = kd_experiment_n_objectives(experiment);
    return watch < n_objectives ? kd_experiment_metric(experiment, watch)
                                : experiment->constraints[watch - n_objectives].metric;
}

void kd_watch_point(const struct kd_experiment *experiment, const char *metric, int64_t step,
                    double value, kd_point_reports *reports)
{
    int n = kd_watch_count(experiment);
    for (int i = 0; i < n; i++)
        if (strcmp(metric, kd_watch_metric(experiment, i)) == 0)
            kd_arr_push(reports, (struct kd_point_report){step, value, i});
}

void kd_series_put(struct kd_series *series, struct kd_report point)
{
    int at = series->n;
    while (at > 0 && series->points[at - 1].step >= point.step)
        at--;
    bool replaces = at < series->n && series->points[at].step == point.step;
    if (!replaces && series->n == series->capacity) {
        series->capacity = series->capacity > 0 ? 2 * series->capacity : 8;
        series->points =
            kd_realloc_array(series->points, (size_t)series->capacity, sizeof *series->points);
    }
    if (!replaces) {
        memmove(&series->points[at + 1], &series->points[at],
                (size_t)(series->n - at) * sizeof *series->points);
        series->n++;
    }
    series->points[at] = point;
}

void kd_series_cut(struct kd_series *series, int64_t step)
{
    while (series->n > 0 && series->points[series->n - 1].step > step)
        series->n--;
}

void kd_series_release(struct kd_series *series)
{
    free(series->points);
    *series = (struct kd_series){0};
}

double kd_points_pick(const struct kd_report *points, int n, enum kd_metric_pick pick)
{
    double best = NAN;
    if (n == 0 || isnan(points[n - 1].value))
        return NAN;
    for (int i = 0; i < n; i++) {
        double value = points[i].value;
        if (!isfinite(value))
            continue;
        bool better = pick == KD_PICK_LATEST || (pick == KD_PICK_MIN ? value < best : value > best);
        if (isnan(best) || better)
            best = value;
    }
    return best;
}

double kd_points_latest(const struct kd_report *points, int n)
{
    while (n > 0 && !isfinite(points[n - 1].value))
        n--;
    return n > 0 ? points[n - 1].value : NAN;
}
