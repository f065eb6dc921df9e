/* gpu_usage.h - what an attempt made of one of its GPUs, added up from readings. Pure.
 *
 * Where the readings come from is launch/gpu_reading.h, how often launch/gpu_watch.h. An
 * observation and nothing else: the study never sees it, no event carries it, so a replay compares
 * the same decisions with it and without. */
#ifndef KD_GPU_USAGE_H
#define KD_GPU_USAGE_H

#include <stdbool.h>
#include <stdint.h>

/* One look at a GPU. -1: it does not say (a MIG instance has neither energy nor utilisation of its
 * own). */
struct kd_gpu_reading {
    double at_s;          /* monotonic */
    int64_t memory_bytes; /* in use, of whomever */
    int percent;          /* of the time just past in which a kernel ran */
    int celsius;
    int64_t energy_mj; /* since the driver was loaded */
    int64_t power_mw;
};

/* Zeros are one to which nothing was added. */
struct kd_gpu_usage {
    int n_readings;
    struct kd_gpu_reading first, last;
    double seconds; /* between them */
    int64_t memory_peak_bytes;
    int percent_peak, celsius_peak;
    int64_t energy_mj; /* as it was told last */
    bool has_memory, has_percent, has_celsius, has_energy, has_power;
    double busy_s;       /* percent / 100 times the time it stands for, added up */
    double told_s;       /* the time for which there was a percentage */
    double from_power_j; /* power times time, added up */
};

/* The first reading is where the attempt begins: counters start there, and what it says of memory
 * and load was before. */
void kd_gpu_usage_add(struct kd_gpu_usage *usage, const struct kd_gpu_reading *reading);

/* NaN: not known. Energy is the counter's difference; of a GPU without one, or whose counter went
 * back, the power of the readings times the time between them. */
double kd_gpu_usage_percent(const struct kd_gpu_usage *usage);
double kd_gpu_usage_joules(const struct kd_gpu_usage *usage);

#endif
