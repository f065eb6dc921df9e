#include "tests/bench/rates/stopwatch.h"

#include <stdlib.h>
#include <time.h>

#include "coordinator/base/mem.h"
#include "kernels/replay.h"

enum { REPEATS_MAX = 200 };

double stopwatch_us(const struct kd_device *device, struct kd_queue *queue)
{
    struct timespec now;
    device->wait(queue);
    clock_gettime(device->is_host ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double stopwatch_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

static void run_calls(const struct stopwatch_job *job, int n)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < job->n_calls; c++)
            kd_call_run(&job->calls[c], job->device->ops, job->queue);
}

static double time_calls(const struct stopwatch_job *job)
{
    double start = stopwatch_us(job->device, job->queue);
    run_calls(job, 1);
    return stopwatch_us(job->device, job->queue) - start;
}

static double time_replay(const struct stopwatch_job *job, struct kd_replay *replay, int n)
{
    double start = stopwatch_us(job->device, job->queue);
    if (kd_replay_begin(replay, job->device, job->queue)) {
        run_calls(job, n);
        kd_replay_end(replay, job->device, job->queue);
    }
    return (stopwatch_us(job->device, job->queue) - start) / n;
}

/* The first time makes what ops keep, so the second one is asked how long they take. */
static int repeats_of(const struct stopwatch_job *job)
{
    time_calls(job);
    double once = time_calls(job);
    return once * REPEATS_MAX < job->run_us ? REPEATS_MAX
           : once < job->run_us             ? (int)(job->run_us / once) + 1
                                            : 1;
}

double stopwatch_median_us(const struct stopwatch_job *job)
{
    double begin = stopwatch_us(job->device, job->queue);
    int repeats = repeats_of(job), n = 0;
    struct kd_replay replay = {0};
    double *us = KD_NEW_ARRAY(double, (size_t)job->runs);
    if (repeats > 1) { /* call by call, then recorded */
        time_replay(job, &replay, repeats);
        time_replay(job, &replay, repeats);
    }
    do /* what fills a run by itself is not recorded: a launch costs nothing beside it */
        us[n++] = repeats > 1 ? time_replay(job, &replay, repeats) : time_calls(job);
    while (n < job->runs && stopwatch_us(job->device, job->queue) - begin < job->budget_us);
    double median = stopwatch_median(us, n);
    free(us);
    kd_replay_drop(&replay, job->device);
    return median;
}
