/* oom.h - was a gang's end by SIGKILL the kernel's, because memory ran out? */
#ifndef KD_LAUNCH_OOM_H
#define KD_LAUNCH_OOM_H

#include <stdbool.h>
#include <stdint.h>

/* How many processes of this machine the kernel has killed for lack of memory so far (Linux 4.13
 * on); 0 when it does not say. A process of somebody else counts too: nothing tells them apart
 * without a cgroup. KATYDID_FAKE_VMSTAT names a file that stands in for /proc/vmstat, for tests. */
int64_t kd_oom_kills(void);

/* Is it a death by SIGKILL? A shell and mpirun report that of a rank as 128 + 9. -1 = none. */
bool kd_was_killed(int exit_code, int exit_signal);

#endif
