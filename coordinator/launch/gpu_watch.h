/* gpu_watch.h - a thread that looks at the GPUs while trials run.
 *
 * A thread, since a call into NVML takes milliseconds, and one about a GPU that is ill may never
 * return: the loop only leaves word here and takes what was found, under a lock that is never held
 * during such a call. A pass reads the GPUs that some attempt holds, and asks what errors the
 * driver has to report of any of them: once a second, and soon after an attempt begins or ends, at
 * most ten times a second, or at once for whoever must know.
 *
 *     hold    the attempt has begun, on these GPUs        -> the next pass is where its counters start
 *     release it has ended                                -> one pass more, and it can be taken */
#ifndef KD_LAUNCH_GPU_WATCH_H
#define KD_LAUNCH_GPU_WATCH_H

#include "coordinator/gpu_usage.h"
#include "coordinator/launch/gpu_events.h"
#include "coordinator/launch/machine.h"

struct kd_gpu_watch;

/* What an attempt made of one GPU. */
struct kd_gpu_measured {
    int64_t fence;
    int i; /* which of those that it held */
    struct kd_gpu_usage usage;
};

/* The n GPUs of the machine, copied. NULL: they are none, or stand-ins of which nobody can ask
 * anything, or no thread could be started; all that follows takes NULL and finds nothing. */
struct kd_gpu_watch *kd_gpu_watch_start(const struct kd_gpu *gpus, int n);

/* A descriptor that is readable when something can be taken, until kd_gpu_watch_looked is called;
 * -1 = none. */
int kd_gpu_watch_fd(const struct kd_gpu_watch *watch);

/* gpus: positions among those of the machine. */
void kd_gpu_watch_hold(struct kd_gpu_watch *watch, int64_t fence, const int *gpus, int n);
void kd_gpu_watch_release(struct kd_gpu_watch *watch, int64_t fence);

/* The next finished measurement; false: none is left. */
bool kd_gpu_watch_take(struct kd_gpu_watch *watch, struct kd_gpu_measured *measured);

/* The next error that a GPU has; false: none is left. */
bool kd_gpu_watch_take_fault(struct kd_gpu_watch *watch, struct kd_gpu_fault *fault);

/* For who must know whether a GPU failed before now: when kd_gpu_watch_looked has come to the
 * number that kd_gpu_watch_look gives, all errors until then were to be taken. A driver that hangs
 * never comes to it. */
int64_t kd_gpu_watch_look(struct kd_gpu_watch *watch);
int64_t kd_gpu_watch_looked(struct kd_gpu_watch *watch);

/* Waits until every attempt that was released is measured, at most so long. */
void kd_gpu_watch_settle(struct kd_gpu_watch *watch, int timeout_ms);

/* A thread that does not come back from the driver is left where it is, with what it holds. */
void kd_gpu_watch_stop(struct kd_gpu_watch *watch);

#endif
