/* without_trainer.c - what katydid-bench says of the commands that need the trainer where it was
 * not built. */
#include <stdio.h>

#include "tests/bench/rates/rates.h"

static int refuse(char **argv)
{
    fprintf(stderr,
            "katydid-bench %s: this build has no trainer; configure with -DKATYDID_TRAINER=ON, "
            "which needs MPI and oneDNN\n",
            argv[0]);
    return 1;
}

int bench_ops(int argc, char **argv)
{
    (void)argc;
    return refuse(argv);
}

int bench_step(int argc, char **argv)
{
    (void)argc;
    return refuse(argv);
}

int bench_allreduce(int argc, char **argv)
{
    (void)argc;
    return refuse(argv);
}
