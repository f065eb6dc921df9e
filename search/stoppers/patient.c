/* patient.c - stops a trial that no longer gets better: after `patience` reports without
 * improvement. With `stopper`, it only gives that one leave to stop the trial (Optuna's
 * PatientPruner).
 *
 *     stop when best up to patience + 1 reports ago + min_delta < best of the last patience + 1 reports
 *
 * Reports that are not finite are passed over; when none of the last is finite, none is better. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "search/stopper.h"
#include "search/stoppers/standings.h"

struct patient {
    int patience;
    double min_delta;
    const struct kd_stopper *inner; /* NULL = none */
    void *inner_self;
};

static int new_inner(struct patient *self, const char *name, const struct kd_task *task,
                     uint64_t seed, struct kd_error *err)
{
    if (strcmp(name, "none") == 0)
        return 0;
    struct kd_settings defaults;
    self->inner = kd_stopper_find(name);
    kd_settings_init(&defaults, self->inner->settings);
    self->inner_self = self->inner->new (task, &defaults, seed, err);
    kd_settings_release(&defaults);
    return self->inner_self ? 0 : -1;
}

static void *patient_new(const struct kd_task *task, const struct kd_settings *settings,
                         uint64_t seed, struct kd_error *err)
{
    struct patient *self = KD_NEW(struct patient);
    *self = (struct patient){.patience = (int)kd_settings_number(settings, "patience"),
                             .min_delta = kd_settings_number(settings, "min_delta")};
    if (new_inner(self, kd_settings_text(settings, "stopper"), task, seed, err) < 0) {
        free(self);
        return NULL;
    }
    return self;
}

static enum kd_verdict patient_judge(void *self_, const struct kd_history *history, int number,
                                     const struct kd_report *report)
{
    const struct patient *self = self_;
    const struct kd_observation *trial = &history->trials[number];
    int n = kd_observation_report_at(trial, report->step) + 1, n_late = self->patience + 1;
    if (n > trial->n_reports || n <= n_late)
        return KD_GO;
    double early = kd_best_report(trial->reports, n - n_late);
    double late = kd_best_report(&trial->reports[n - n_late], n_late);
    if (!(early + self->min_delta < late))
        return KD_GO;
    return self->inner ? self->inner->judge(self->inner_self, history, number, report) : KD_STOP;
}

static void patient_free(void *self_)
{
    struct patient *self = self_;
    if (self && self->inner)
        self->inner->free(self->inner_self);
    free(self);
}

/* Those that need no settings and do not pause. */
static const char *const inner_names[] = {"none", "medianstop", "percentile", "wilcoxon", NULL};

static const struct kd_setting patient_settings[] = {
    {"patience", KD_SETTING_INT, "10", 0, 1e9, NULL, "reports without improvement that are borne"},
    {"min_delta", KD_SETTING_NUMBER, "0", 0, 1e300, NULL,
     "how much worse still counts as no worse"},
    {"stopper", KD_SETTING_CHOICE, "none", 0, 0, inner_names,
     "decides then, with its default settings; none: the trial is stopped"},
    {0},
};

const struct kd_stopper kd_stopper_patient = {
    .name = "patient",
    .summary = "stops a trial that has not got better for some reports",
    .settings = patient_settings,
    .new = patient_new,
    .judge = patient_judge,
    .free = patient_free,
};
