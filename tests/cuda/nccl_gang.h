/* nccl_gang.h - for tests of collectives: ranks as processes, and memory that they share with the
 * test. In C++.
 *
 * Assertions are the test's: a rank only notes what it got. */
#ifndef KD_TESTS_CUDA_NCCL_GANG_H
#define KD_TESTS_CUDA_NCCL_GANG_H

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <atomic>

#include "kernels/cuda/table.h"
#include "tests/cuda/child.h"

extern "C" {
#include "coordinator/base/clock.h"
#include "kernels/collective.h"
extern const struct kd_collectives kd_collectives_nccl;
extern const struct kd_device kd_device_cuda;
}

enum { GANG_MOST = 4, GANG_N = 10007, GANG_GIVES_UP_S = 60 };

/* What one rank notes. */
struct gang_rank {
    int exit_status;
    int status;           /* of the call that the test is about */
    double seconds;       /* that it took */
    struct kd_error said; /* by it */
    float floats[GANG_N];
    double doubles[GANG_N];
};

struct gang {
    std::atomic<int> has_id, n_ready;
    struct kd_collective_id id;
    struct gang_rank ranks[GANG_MOST];
};

/* One rank's view. */
struct seat {
    struct gang *gang;
    struct gang_rank *notes;
    int rank, size;
    struct kd_queue *queue;
    struct kd_collective *collective;
};

static inline void gang_note(struct seat *seat, int status, int64_t since_us,
                             const struct kd_error *err)
{
    seat->notes->status = status;
    seat->notes->seconds = (double)(kd_clock_mono_us() - since_us) * 1e-6;
    seat->notes->said = *err;
}

[[noreturn]] static inline void gang_fail(struct seat *seat, const struct kd_error *err)
{
    seat->notes->said = *err;
    _exit(EXIT_FAILURE);
}

static inline void gang_wait_until(const std::atomic<int> &value, int wanted)
{
    while (value.load() < wanted)
        sched_yield();
}

/* Rank 0's id to all; and all are there before a deadline begins to run. */
static inline void gang_meet(struct seat *seat)
{
    struct kd_error err = {};
    if (kd_device_cuda.open(0, &seat->queue, &err) < 0)
        gang_fail(seat, &err);
    if (seat->rank == 0) {
        if (kd_collectives_nccl.make_id(&seat->gang->id, &err) < 0)
            gang_fail(seat, &err);
        seat->gang->has_id = 1;
    } else if (kd_collectives_nccl.make_id(NULL, &err) < 0) { /* loads the library */
        gang_fail(seat, &err);
    }
    seat->gang->n_ready++;
    gang_wait_until(seat->gang->has_id, 1);
    gang_wait_until(seat->gang->n_ready, seat->size);
}

static inline struct kd_collective_options gang_options(const struct seat *seat, double deadline_s)
{
    struct kd_collective_options options = {};
    options.id = seat->gang->id;
    options.rank = seat->rank;
    options.size = seat->size;
    options.deadline_s = deadline_s;
    return options;
}

/* Notes how it went; -1 as open. */
static inline int gang_open(struct seat *seat, double deadline_s)
{
    struct kd_error err = {};
    struct kd_collective_options options = gang_options(seat, deadline_s);
    int64_t start = kd_clock_mono_us();
    int status = kd_collectives_nccl.open(&seat->collective, &options, &err);
    gang_note(seat, status, start, &err);
    return status;
}

static inline int gang_wait(struct seat *seat)
{
    struct kd_error err = {};
    int64_t start = kd_clock_mono_us();
    int status = kd_collectives_nccl.wait(seat->collective, seat->queue, -1, &err);
    gang_note(seat, status, start, &err);
    return status;
}

static inline int gang_close(struct seat *seat)
{
    struct kd_error err = {};
    int64_t start = kd_clock_mono_us();
    int status = kd_collectives_nccl.close(seat->collective, &err);
    gang_note(seat, status, start, &err);
    return status;
}

static inline struct gang *gang_new()
{
    void *memory =
        mmap(NULL, sizeof(struct gang), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return static_cast<struct gang *>(memory);
}

static inline void gang_free(struct gang *gang)
{
    munmap(gang, sizeof *gang);
}

template <class Body>
[[noreturn]] void gang_be_rank(struct gang *gang, int rank, int size, Body body)
{
    struct seat seat = {gang, &gang->ranks[rank], rank, size, NULL, NULL};
    alarm(GANG_GIVES_UP_S);
    gang_meet(&seat);
    body(&seat);
    _exit(EXIT_SUCCESS);
}

/* Processes 0 to size-1, with the stand-in misbehaving as told (NULL: not), until they have
 * ended. */
template <class Body>
void gang_run(struct gang *gang, int size, const char *misbehaviour, Body body)
{
    pid_t pids[GANG_MOST];
    fflush(NULL);
    setenv("KATYDID_NCCL_STANDIN", misbehaviour ? misbehaviour : "", 1);
    for (int rank = 0; rank < size; rank++) {
        pids[rank] = fork();
        if (pids[rank] == 0)
            gang_be_rank(gang, rank, size, body);
    }
    unsetenv("KATYDID_NCCL_STANDIN");
    for (int rank = 0; rank < size; rank++)
        assert_int_equal(waitpid(pids[rank], &gang->ranks[rank].exit_status, 0), pids[rank]);
}

#endif
