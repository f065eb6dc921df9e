/* mpirun.h - tests that start themselves as the ranks of an mpirun. */
#ifndef KD_TESTS_TRAINER_MPIRUN_H
#define KD_TESTS_TRAINER_MPIRUN_H

#include "tests/trainer/support.h"

/* Exit status of `options` more for mpirun, n ranks, each this program with the arguments. */
static inline int mpirun_self(const struct folder *folder, const char *options, int n,
                              const char *arguments)
{
    char self[4096] = {0};
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    char *command =
        kd_format("mpirun --allow-run-as-root --oversubscribe --bind-to none --mca pml ob1"
                  " --mca btl self,vader --mca btl_vader_backing_directory '%s'"
                  " --mca orte_tmpdir_base '%s' %s -np %d '%s' %s",
                  folder->path, folder->path, options, n, self, arguments);
    setenv("ASAN_OPTIONS", "detect_leaks=0", 0); /* Open MPI's own */
    int status = system(command);
    free(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#endif
