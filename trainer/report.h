/* report.h - what a trial tells the world, and what the world tells the trial; on rank 0 only.
 *
 * A report is one row of metrics at a boundary. Where it goes is a sink's business: the bus
 * (gang.c) or a terminal (standalone.c). */
#ifndef KD_TRAINER_REPORT_H
#define KD_TRAINER_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum kd_metric_kind {
#define KD_METRIC(constant, name, better, summary) KD_METRIC_##constant,
#include "trainer/metrics.def"
#undef KD_METRIC
    KD_N_METRICS
};

enum kd_better { KD_BETTER_NEITHER, KD_BETTER_LESS, KD_BETTER_MORE };

struct kd_metric_name {
    const char *name;
    enum kd_better better;
    const char *summary;
};
extern const struct kd_metric_name kd_metrics[KD_N_METRICS];

struct kd_report {
    int64_t step; /* completed epochs, or optimizer steps with report.every: N */
    double at;    /* REAL UTC seconds */
    double values[KD_N_METRICS];
    bool has[KD_N_METRICS];
};

void kd_report_set(struct kd_report *report, enum kd_metric_kind kind, double value);

/* For the checkpoint: [step, at, {"name": value}]; a non-finite value is its name as a text. */
json_t *kd_report_to_json(const struct kd_report *report); /* a new reference */
int kd_report_from_json(const json_t *json, struct kd_report *report);

/* What the coordinator (or a signal) wants; a higher word outweighs a lower one. */
enum kd_word {
    KD_WORD_GO,
    KD_WORD_CHECKPOINT, /* save, and go on */
    KD_WORD_YIELD,      /* save, and end */
    KD_WORD_STOP,       /* end */
    KD_WORD_DROP,       /* end; nobody wants to know of it */
    KD_WORD_EXIT,       /* the same, and the gang ends too */
};

/* Where a training stands. */
struct kd_course {
    const int64_t
        *step; /* optimizer steps completed, as it goes on; borrowed until kd_train returns */
    int64_t begin_step, end_step, steps_per_epoch;
};

struct kd_sink {
    void *ud;
    /* Once before the first step; may be NULL. */
    void (*begin)(void *ud, const struct kd_course *course);
    void (*report)(void *ud, const struct kd_report *report);
    void (*saved)(void *ud, int64_t step, const char *path, int64_t bytes, const char *digest);
    /* Called between steps, at least 20 ms apart: still alive, so many optimizer steps done;
     * anything new? */
    enum kd_word (*poll)(void *ud, int64_t optimizer_step);
};

#endif
