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
static int start_thread(pthread_t *thread, void *(*body)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Waiting for it has a limit that changes of the clock do not move. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct kd_nccl_watchdog *kd_nccl_watchdog_start(double limit_s, const char *call, const char *text)
{
    struct kd_nccl_watchdog *watchdog = KD_NEW(struct kd_nccl_watchdog);
    *watchdog = (struct kd_nccl_watchdog){
        .limit_s = limit_s, .call = call, .text = text, .until = after(limit_s)};
    init_condition(&watchdog->stopped);
    pthread_mutex_init(&watchdog->mutex, NULL);
    if (start_thread(&watchdog->thread, watch, watchdog) != 0)
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

/* ---- calls that are left to themselves */

/* Freed by whoever of the two comes last to it. */
struct bounded_call {
    pthread_mutex_t mutex;
    pthread_cond_t returned;
    bool has_returned, is_left;
    int (*call)(void *argument);
    void *argument;
    int result;
};

static void free_call(struct bounded_call *bounded)
{
    pthread_cond_destroy(&bounded->returned);
    pthread_mutex_destroy(&bounded->mutex);
    free(bounded);
}

static void *make_call(void *argument)
{
    struct bounded_call *bounded = argument;
    int result = bounded->call(bounded->argument);
    pthread_mutex_lock(&bounded->mutex);
    bounded->result = result;
    bounded->has_returned = true;
    bool is_left = bounded->is_left;
    pthread_cond_signal(&bounded->returned);
    pthread_mutex_unlock(&bounded->mutex);
    if (is_left)
        free_call(bounded);
    return NULL;
}

static bool wait_for_return(struct bounded_call *bounded, double limit_s)
{
    struct timespec until = after(limit_s);
    int status = 0;
    pthread_mutex_lock(&bounded->mutex);
    while (!bounded->has_returned && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&bounded->returned, &bounded->mutex, &until);
    bool has_returned = bounded->has_returned;
    bounded->is_left = !has_returned;
    pthread_mutex_unlock(&bounded->mutex);
    return has_returned;
}

bool kd_nccl_call_within(double limit_s, int (*call)(void *argument), void *argument, int *result)
{
    pthread_t thread;
    struct bounded_call *bounded = KD_NEW(struct bounded_call);
    *bounded = (struct bounded_call){.call = call, .argument = argument};
    init_condition(&bounded->returned);
    pthread_mutex_init(&bounded->mutex, NULL);
    if (start_thread(&thread, make_call, bounded) != 0) {
        free_call(bounded);
        return false;
    }
    if (!wait_for_return(bounded, limit_s)) {
        pthread_detach(thread);
        return false;
    }
    pthread_join(thread, NULL);
    *result = bounded->result;
    free_call(bounded);
    return true;
}
