/* nccl_watchdog.h - ends the process when a call that should be short does not return: an abort of NCCL may hang. */
#ifndef KD_KERNELS_CUDA_NCCL_WATCHDOG_H
#define KD_KERNELS_CUDA_NCCL_WATCHDOG_H

struct kd_nccl_watchdog;

/* Unless stop comes within limit_s seconds the process ends: the text and what did not return on stderr, then _exit.
 * Both texts are borrowed until stop. Where there can be no thread the process ends at once. */
struct kd_nccl_watchdog *kd_nccl_watchdog_start(double limit_s, const char *call, const char *text);
void kd_nccl_watchdog_stop(struct kd_nccl_watchdog *watchdog);

#endif
