/* schedules.h - for tests of kernels: the same in each schedule (block.h), and kernels that end the
 * program. */
#ifndef KD_TESTS_CUDA_SCHEDULES_H
#define KD_TESTS_CUDA_SCHEDULES_H

#include <cuda_runtime.h>

#include "tests/cuda/child.h"

static const char *const schedules[] = {"forward", "reverse", "random:1", "random:2"};

#define KD_FOR_SCHEDULES                                                                           \
    for (const char *schedule : schedules)                                                         \
        if (kd_sim::set_schedule(schedule); true)

/* In every schedule, and with the message on stderr. */
#define KD_ASSERT_DIES(message, launch)                                                            \
    KD_FOR_SCHEDULES                                                                               \
    {                                                                                              \
        char text[4096];                                                                           \
        int status = child_of([&] { launch; }, text, sizeof text);                                 \
        if (!WIFSIGNALED(status) || !strstr(text, message))                                        \
            fail_msg("%s: status %#x, wanted \"%s\", got: %s", schedule, (unsigned)status,         \
                     message, text);                                                               \
    }

#endif
