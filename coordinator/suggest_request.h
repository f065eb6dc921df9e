/* suggest_request.h - what a line of `katydid suggest` says: read whole and checked before anything
 * is done. */
#ifndef KD_SUGGEST_REQUEST_H
#define KD_SUGGEST_REQUEST_H

#include <jansson.h>

#include "coordinator/spec/experiment.h"

enum kd_told_state {
    KD_TOLD_COMPLETE,
    KD_TOLD_PRUNED,
    KD_TOLD_FAILED,
    KD_TOLD_PAUSED,
    KD_TOLD_RUNNING, /* no more than reports */
};

struct kd_told {
    int64_t number;
    enum kd_told_state state;
    double *objectives;        /* owned, in the user's direction; NULL = not given */
    double *constraints;       /* owned, as measured; NULL = not given */
    struct kd_report *reports; /* owned, in the user's direction, in the order of the line */
    int n_reports;
};

struct kd_judged {
    int64_t number;
    struct kd_report report; /* in the user's direction */
};

/* The line as JSON, or NULL and err. Takes the bare NaN, Infinity and -Infinity that Python and
 * others write. */
json_t *kd_request_parse(const char *line, size_t length, struct kd_error *err);

int kd_request_count(const json_t *json, const char *what, int64_t min, int64_t max, int64_t *value,
                     struct kd_error *err);

/* Filled; or -1 and err, and nothing to release. */
int kd_request_tell(const struct kd_experiment *experiment, const json_t *json,
                    struct kd_told *told, struct kd_error *err);
void kd_told_release(struct kd_told *told);

int kd_request_judge(const json_t *json, struct kd_judged *judged, struct kd_error *err);

/* point: n_params values, NaN where nothing is said. */
int kd_request_point(const struct kd_space *space, const json_t *json, double *point,
                     struct kd_error *err);

/* One value per objective, from a list in their order or from {metric: value}; owned. NULL and
 * err. */
double *kd_request_objectives(const struct kd_experiment *experiment, const json_t *json,
                              const char *what, struct kd_error *err);

#endif
