/* speed.h - how fast a training is: samples and floating-point operations a second, and the share
 * of the machine's peak.
 *
 * Operations are counted from the plan's calls (kernels/flops.h). The peak is measured, once a
 * process, when the first report comes that covers enough time to matter: a trial of milliseconds
 * is not made to wait for it. */
#ifndef KD_TRAINER_SPEED_H
#define KD_TRAINER_SPEED_H

#include "trainer/models/plan.h"
#include "trainer/report.h"

struct kd_speed {
    double flops_each; /* of a sample */
    double peak;       /* operations a second of this rank; 0: not measured yet */
};

/* For a plan that was just made ready; what was measured before stays. */
void kd_speed_init(struct kd_speed *speed, struct kd_plan *plan);

/* Over the ranks of the plan's communicator: samples in so many seconds. */
void kd_speed_report(struct kd_speed *speed, struct kd_plan *plan, double n_samples, double seconds,
                     struct kd_report *report);

#endif
