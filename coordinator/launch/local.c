/* local.c - one rank, started directly: no MPI in the way. */
#include "coordinator/launch/launcher.h"

static bool serves(const struct kd_launch *launch)
{
    return launch->n_ranks == 1;
}

static void command(const struct kd_launch *launch, const char *exec_program, kd_words *argv)
{
    kd_words_add(argv, exec_program);
    kd_words_add(argv, "--cpus");
    kd_words_add(argv, launch->cores);
    kd_words_add(argv, "--");
}

const struct kd_launcher kd_launcher_local = {
    .name = "local",
    .summary = "one rank on this host, started directly",
    .serves = serves,
    .command = command,
};
