/* stopwatch.h - the time of work on a device. On the CPU it is the thread's time, so that what a
 * neighbour on the same core takes is not counted; on a GPU the time until the queue is done. */
#ifndef KD_TESTS_BENCH_STOPWATCH_H
#define KD_TESTS_BENCH_STOPWATCH_H

#include "kernels/device.h"

/* Microseconds, from any start; waits for what the queue was given. */
double stopwatch_us(const struct kd_device *device, struct kd_queue *queue);

struct stopwatch_job {
    const struct kd_device *device;
    struct kd_queue *queue;
    const struct kd_call *calls; /* done one after the other, as often as it takes */
    int n_calls;
    int runs;         /* at most */
    double run_us;    /* as many repetitions as fill it, at least one */
    double budget_us; /* no run is begun after so long */
};

/* The median over the runs of the time that all calls take once. Several repetitions are a replay
 * (kernels/replay.h): where launches cost more than the work, as of small shapes on a GPU, they are
 * one graph, as in a training's step. */
double stopwatch_median_us(const struct stopwatch_job *job);

double stopwatch_median(double *values, int n); /* sorts them */

#endif
