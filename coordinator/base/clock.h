/* clock.h - time. Deadlines and rates use the monotonic clock, what a person reads uses real UTC
 * seconds. */
#ifndef KD_BASE_CLOCK_H
#define KD_BASE_CLOCK_H

#include <stdint.h>

int64_t kd_clock_mono_us(
    void); /* microseconds, CLOCK_BOOTTIME: goes on while the machine sleeps, never back */
int64_t kd_clock_mono_ns(void); /* nanoseconds of the same clock, for short times */
double kd_clock_real(void);     /* seconds since 1970 UTC */

#endif
