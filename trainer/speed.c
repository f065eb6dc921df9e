#include "trainer/speed.h"

enum { COUNTED_SAMPLES = 64 }; /* so many at once, since some ops count by blocks */
static const double ENOUGH_S = 0.1;

void kd_speed_init(struct kd_speed *speed, struct kd_plan *plan)
{
    speed->flops_each = kd_plan_flops(plan, COUNTED_SAMPLES) / COUNTED_SAMPLES;
}

void kd_speed_report(struct kd_speed *speed, struct kd_plan *plan, double n_samples, double seconds,
                     struct kd_report *report)
{
    if (seconds <= 0)
        return;
    double rate = speed->flops_each * n_samples / seconds;
    kd_report_set(report, KD_METRIC_SAMPLES_PER_SECOND, n_samples / seconds);
    kd_report_set(report, KD_METRIC_FLOPS, rate);
    if (seconds >= ENOUGH_S && speed->peak == 0)
        speed->peak = kd_plan_peak_flops(plan);
    if (speed->peak > 0)
        kd_report_set(report, KD_METRIC_PEAK_SHARE, rate / (speed->peak * kd_plan_n_ranks(plan)));
}
