/* nccl_watchdog.h - calls that should be short and might not return, as those of NCCL that free a
 * communicator: one may end the process, or be left to a thread of its own. */
#ifndef KD_KERNELS_CUDA_NCCL_WATCHDOG_H
#define KD_KERNELS_CUDA_NCCL_WATCHDOG_H

#include <stdbool.h>

struct kd_nccl_watchdog;

/* Unless stop comes within limit_s seconds the process ends: the text and what did not return on
 * stderr, then _exit. Both texts are borrowed until stop. Where there can be no thread the process
 * ends at once. */
struct kd_nccl_watchdog *kd_nccl_watchdog_start(double limit_s, const char *call, const char *text);
void kd_nccl_watchdog_stop(struct kd_nccl_watchdog *watchdog);

/* call(argument) in a thread of its own, which has nothing that is each thread's own, as CUDA's
 * current device. *result: what it returned. False: it has not within limit_s seconds, and is left
 * to itself, or there is no thread for it; *result is as before. */
bool kd_nccl_call_within(double limit_s, int (*call)(void *argument), void *argument, int *result);

#endif
