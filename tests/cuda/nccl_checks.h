/* nccl_checks.h - what the tests of collectives share beside nccl_gang.h: how long things may take,
 * the stand-in's files, ranks that do what most tests do, and what a failure has to say. */
#ifndef KD_TESTS_CUDA_NCCL_CHECKS_H
#define KD_TESTS_CUDA_NCCL_CHECKS_H

#include <dirent.h>

#include "tests/cuda/nccl_gang.h"

static const struct kd_collectives *const nccl = &kd_collectives_nccl;

/* Longer than a loaded machine may take; and one that is to pass. */
static const double AMPLE_S = 50, SHORT_S = 0.2, SOON_S = 20;

/* ---- a folder for the stand-in's files, which has to be empty again */

static char folder[64];

static inline int make_folder(void **)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/nccl-XXXXXX",
             parent && strlen(parent) < 40 ? parent : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    return setenv("TMPDIR", folder, 1);
}

static inline int remove_folder(void **)
{
    return rmdir(folder);
}

static inline int n_files()
{
    int n = 0;
    DIR *files = opendir(folder);
    while (readdir(files))
        n++;
    closedir(files);
    return n - 2; /* . and .. */
}

/* `values` in device memory, while body runs and all is waited for. */
template <class T, class Body>
static void on_device(struct seat *seat, T *values, int64_t n, Body body)
{
    size_t bytes = (size_t)n * sizeof *values;
    T *memory = static_cast<T *>(kd_device_cuda.alloc(bytes));
    kd_device_cuda.copy_in(seat->queue, memory, values, bytes);
    body(memory);
    if (gang_wait(seat) == 0) {
        kd_device_cuda.copy_out(seat->queue, values, memory, bytes);
        kd_device_cuda.wait(seat->queue);
    }
    kd_device_cuda.free(memory);
}

static inline void open_or_end(struct seat *seat)
{
    if (gang_open(seat, AMPLE_S) < 0)
        _exit(EXIT_FAILURE);
}

static inline void close_or_end(struct seat *seat)
{
    if (gang_close(seat) < 0)
        _exit(EXIT_FAILURE);
}

static inline void assert_all_ended_well(const struct gang *gang, int size)
{
    for (int rank = 0; rank < size; rank++)
        if (gang->ranks[rank].exit_status != 0 || gang->ranks[rank].status != 0)
            fail_msg("rank %d of %d: status %d: %s", rank, size, gang->ranks[rank].exit_status,
                     gang->ranks[rank].said.text);
    assert_int_equal(n_files(), 0);
}

static inline void sum_some(struct seat *seat, int n_sums)
{
    float *values = static_cast<float *>(kd_device_cuda.alloc(5 * sizeof *values));
    for (int i = 0; i < n_sums; i++)
        nccl->sum_floats(seat->collective, seat->queue, values, 5);
    gang_wait(seat);
    kd_device_cuda.free(values);
}

static inline void assert_failed(const struct gang_rank *notes, const char *const *wanted)
{
    assert_int_equal(notes->exit_status, 0);
    assert_int_equal(notes->status, -1);
    for (; *wanted; wanted++)
        if (!strstr(notes->said.text, *wanted))
            fail_msg("wanted \"%s\", got: %s", *wanted, notes->said.text);
    if (notes->seconds > SOON_S)
        fail_msg("after %g s", notes->seconds);
}

#endif
