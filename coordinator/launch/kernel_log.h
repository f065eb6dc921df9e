/* kernel_log.h - errors of NVSwitches (SXid), as the driver writes them into the kernel's log. NVML
 * has no events of them.
 *
 * The log is KATYDID_KMSG, else /dev/kmsg. It is read without waiting, from the moment on at which
 * it was opened: what was before was told to somebody else. Who may read it says the kernel
 * (kernel.dmesg_restrict, CAP_SYSLOG). */
#ifndef KD_LAUNCH_KERNEL_LOG_H
#define KD_LAUNCH_KERNEL_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum { KD_KERNEL_RECORD = 8192 }; /* bytes, at most */

/* Zeros are one that is not open. */
struct kd_kernel_log {
    bool is_open;
    int fd;
    size_t length;
    char text[2 * KD_KERNEL_RECORD]; /* what has no end yet */
};

/* "nvidia-nvswitch3: SXid (PCI:0000:05:00.0): 12028, Non-fatal, Link 32 egress non-posted PRIV
 * error (First)" */
struct kd_sxid {
    int number;
    char place[32];   /* the NVSwitch: "0000:05:00.0" */
    char detail[160]; /* "Non-fatal, Link 32 egress non-posted PRIV error (First)" */
};

const char *kd_kernel_log_path(void);

/* -1: errno says why it cannot be read. */
int kd_kernel_log_open(struct kd_kernel_log *log);
void kd_kernel_log_close(struct kd_kernel_log *log); /* one that is not open is fine */

/* The next SXid; false: there is none so far. */
bool kd_kernel_log_next(struct kd_kernel_log *log, struct kd_sxid *sxid);

#endif
