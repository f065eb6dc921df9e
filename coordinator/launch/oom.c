#include "coordinator/launch/oom.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int64_t kd_oom_kills(void)
{
    const char *fake = getenv("KATYDID_FAKE_VMSTAT");
    FILE *file = fopen(fake ? fake : "/proc/vmstat", "re");
    char line[128];
    long long kills = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "oom_kill %lld", &kills) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kills;
}

bool kd_was_killed(int exit_code, int exit_signal)
{
    return exit_signal == SIGKILL || exit_code == 128 + SIGKILL;
}
