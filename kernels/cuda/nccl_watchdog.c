#include "kernels/cuda/nccl_watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/base/mem.h"

struct kd_nccl_watchdog {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool is_stopped;
    struct timespec until; /* CLOCK_MONOTONIC */
    double limit_s;
    const char *call, *text;
};

/* No exit(): its handlers would call into the library that hangs. */
static void end_process(const struct kd_nccl_watchdog *watchdog, const char *why)
{
    fprintf(stderr, "katydid: %s\nkatydid: NCCL: %s %s %g s: the process ends\n", watchdog->text,
            watchdog->call, why, watchdog->limit_s);
    fflush(stderr);
    _exit(EXIT_FAILURE);
}

static void *watch(void *argument)
{
    struct kd_nccl_watchdog *watchdog = argument;
    int status = 0;
    pthread_mutex_lock(&watchdog->mutex);
    while (!watchdog->is_stopped && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&watchdog->stopped, &watchdog->mutex, &watchdog->until);
    if (!watchdog->is_stopped)
        end_process(watchdog, "has not returned for");
    pthread_mutex_unlock(&watchdog->mutex);
    return NULL;
}

static struct timespec after(double seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + (int64_t)(seconds * 1e9);
    return (struct timespec){.tv_sec = t.tv_sec + ns / 1000000000, .tv_nsec = ns % 1000000000};
}

/* Signals are for the threads that were there before. */
static int start_thread(struct kd_nccl_watchdog *watchdog)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&watchdog->thread, NULL, watch, watchdog);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct kd_nccl_watchdog *kd_nccl_watchdog_start(double limit_s, const char *call, const char *text)
{
    struct kd_nccl_watchdog *watchdog = KD_NEW(struct kd_nccl_watchdog);
    *watchdog = (struct kd_nccl_watchdog){
        .limit_s = limit_s, .call = call, .text = text, .until = after(limit_s)};
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->stopped, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&watchdog->mutex, NULL);
    if (start_thread(watchdog) != 0)
        end_process(watchdog, "cannot be watched (no thread for it), and might hang for more than");
    return watchdog;
}

void kd_nccl_watchdog_stop(struct kd_nccl_watchdog *watchdog)
{
    pthread_mutex_lock(&watchdog->mutex);
    watchdog->is_stopped = true;
    pthread_cond_signal(&watchdog->stopped);
    pthread_mutex_unlock(&watchdog->mutex);
    pthread_join(watchdog->thread, NULL);
    pthread_cond_destroy(&watchdog->stopped);
    pthread_mutex_destroy(&watchdog->mutex);
    free(watchdog);
}
