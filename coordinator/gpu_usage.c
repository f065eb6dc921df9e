#include "coordinator/gpu_usage.h"

#include <math.h>

static void add_power(struct kd_gpu_usage *usage, const struct kd_gpu_reading *reading, double dt)
{
    if (reading->power_mw < 0 || usage->last.power_mw < 0)
        return;
    usage->has_power = true;
    usage->from_power_j +=
        (double)(usage->last.power_mw + reading->power_mw) / 2 * 1e-3 * dt; /* trapezoid */
}

static void add_load(struct kd_gpu_usage *usage, const struct kd_gpu_reading *reading, double dt)
{
    if (reading->percent < 0)
        return;
    usage->has_percent = true;
    usage->busy_s += reading->percent / 100.0 * dt;
    usage->told_s += dt;
    if (reading->percent > usage->percent_peak)
        usage->percent_peak = reading->percent;
}

void kd_gpu_usage_add(struct kd_gpu_usage *usage, const struct kd_gpu_reading *reading)
{
    if (usage->n_readings++ == 0) {
        usage->first = usage->last = *reading;
        return;
    }
    double dt = reading->at_s - usage->last.at_s;
    if (reading->energy_mj >= 0) {
        usage->has_energy = true;
        usage->energy_mj = reading->energy_mj;
    }
    add_power(usage, reading, dt);
    add_load(usage, reading, dt);
    if (reading->memory_bytes >= 0) {
        usage->has_memory = true;
        if (reading->memory_bytes > usage->memory_peak_bytes)
            usage->memory_peak_bytes = reading->memory_bytes;
    }
    if (reading->celsius >= 0) {
        usage->has_celsius = true;
        if (reading->celsius > usage->celsius_peak)
            usage->celsius_peak = reading->celsius;
    }
    usage->last = *reading;
    usage->seconds = reading->at_s - usage->first.at_s;
}

double kd_gpu_usage_percent(const struct kd_gpu_usage *usage)
{
    return usage->has_percent && usage->told_s > 0 ? usage->busy_s / usage->told_s * 100 : NAN;
}

double kd_gpu_usage_joules(const struct kd_gpu_usage *usage)
{
    bool counts = usage->has_energy && usage->first.energy_mj >= 0 &&
                  usage->energy_mj >= usage->first.energy_mj;
    if (counts)
        return (double)(usage->energy_mj - usage->first.energy_mj) * 1e-3;
    return usage->has_power ? usage->from_power_j : NAN;
}
