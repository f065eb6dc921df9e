#include "coordinator/base/clock.h"

#include <time.h>

int64_t kd_clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t kd_clock_mono_us(void)
{
    return kd_clock_mono_ns() / 1000;
}

double kd_clock_real(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
