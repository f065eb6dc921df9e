/* shm.c - ranks of one host: what they sum lies in memory that all of them map. team.h has the
 * algorithm; here are the memory, the meeting, and what happens when a rank is gone.
 *
 * Ranks that cannot open each other's memory (other hosts, other containers) do not open this
 * backend. The launcher's brings the ranks together and broadcasts.
 *
 * A rank that waits looks every 0.1 s whether the process it waits for is there, and at the
 * deadline. It then ends with status 1, which makes mpirun end the gang; that is started anew from
 * its last checkpoint. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/log.h"
#include "coordinator/base/str.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/shared.h"
#include "trainer/comm/team.h"

enum { STAGE = 1 << 16 };

struct segment {
    size_t bytes;
    float **copies; /* every rank's, mapped here; but for this rank's, NULL until the first sum */
    int fd;         /* of this rank's copy; -1: all have joined */
};

struct kd_shm {
    struct kd_team team;
    struct kd_team_board *board;
    pid_t *pids;
    int *pidfds; /* -1: the kernel has none (Linux before 5.3) */
    double deadline_s;
    KD_ARR(struct segment) segments;
    float *stage; /* STAGE floats for what lies elsewhere */
};

static struct kd_shm *own_of(struct kd_comm *comm)
{
    return comm->own[KD_COMM_SHM];
}

/* ---- a rank that is gone, or too slow */

_Noreturn static void end_rank(const char *text)
{
    kd_log(KD_LOG_ERROR, "%s; the gang ends, to go on from its last checkpoint", text);
    _exit(EXIT_FAILURE); /* without MPI's farewell, for which it would wait */
}

static void still_waiting(void *ud, int rank, int64_t waited_us)
{
    struct kd_shm *shm = ud;
    struct pollfd ended = {.fd = shm->pidfds[rank], .events = POLLIN};
    double waited_s = (double)waited_us * 1e-6;
    if (poll(&ended, 1, 0) == 1)
        end_rank(kd_format("rank %d waited for rank %d, whose process %d has ended", shm->team.rank,
                           rank, (int)shm->pids[rank]));
    if (waited_s > shm->deadline_s)
        end_rank(kd_format("rank %d has waited %.0f s for rank %d, process %d "
                           "(" KD_COMM_DEADLINE "=%g)",
                           shm->team.rank, waited_s, rank, (int)shm->pids[rank], shm->deadline_s));
}

/* ---- segments */

/* Everybody's file descriptor, by the sum of arrays that are 0 but for one's own place. */
static double *exchange(struct kd_shm *shm, double mine)
{
    double *all = KD_NEW_ARRAY(double, (size_t)shm->team.size);
    all[shm->team.rank] = mine;
    kd_team_sum_doubles(&shm->team, all, shm->team.size);
    return all;
}

_Noreturn static void end_without_memory(size_t bytes)
{
    end_rank(kd_format("there is no shared memory of %zu bytes (%s); comm: mpi does without", bytes,
                       strerror(errno)));
}

static float *alloc_floats(struct kd_comm *comm, int64_t n)
{
    struct kd_shm *shm = own_of(comm);
    struct segment segment = {.bytes = (size_t)(n > 0 ? n : 1) * sizeof(float),
                              .copies = KD_NEW_ARRAY(float *, (size_t)comm->size)};
    segment.fd = kd_shared_make(segment.bytes);
    float *mine = segment.fd < 0 ? NULL : kd_shared_map(segment.fd, segment.bytes);
    if (!mine)
        end_without_memory(segment.bytes);
    segment.copies[comm->rank] = mine;
    kd_arr_push(&shm->segments, segment);
    return mine;
}

/* The first sum in a segment brings its copies together, so that allocating is no meeting of the
 * ranks. */
static void join(struct kd_shm *shm, struct segment *segment)
{
    if (segment->fd < 0)
        return;
    double *fds = exchange(shm, segment->fd), total = (double)segment->bytes;
    kd_team_sum_doubles(&shm->team, &total, 1);
    kd_assert(total == (double)segment->bytes * shm->team.size); /* else these are no copies */
    for (int rank = 0; rank < shm->team.size; rank++) {
        if (rank != shm->team.rank)
            segment->copies[rank] =
                kd_shared_map_of(shm->pids[rank], (int)fds[rank], segment->bytes);
        if (!segment->copies[rank])
            end_without_memory(segment->bytes);
    }
    free(fds);
    kd_team_sum_doubles(&shm->team, NULL, 0); /* all have mapped it */
    close(segment->fd);
    segment->fd = -1;
}

static struct segment *segment_of(struct kd_shm *shm, const float *values)
{
    for (size_t i = 0; i < shm->segments.n; i++) {
        struct segment *segment = &shm->segments.items[i];
        const float *begin = segment->copies[shm->team.rank];
        if (values >= begin && values < begin + segment->bytes / sizeof(float))
            return segment;
    }
    return NULL;
}

static void free_floats(struct kd_comm *comm, float *values)
{
    struct kd_shm *shm = own_of(comm);
    struct segment *segment = values ? segment_of(shm, values) : NULL;
    if (!segment)
        return;
    for (int rank = 0; rank < comm->size; rank++)
        kd_shared_unmap(segment->copies[rank], segment->bytes);
    if (segment->fd >= 0)
        close(segment->fd);
    free(segment->copies);
    *segment = shm->segments.items[--shm->segments.n];
}

/* ---- the meeting */

struct invitation {
    pid_t pid;
    int fd; /* of the board; -1: rank 0 has none */
    uint64_t secret;
};

static uint64_t *secret_of(struct kd_shm *shm)
{
    return (uint64_t *)((char *)shm->board + kd_team_board_bytes(shm->team.size));
}

static size_t board_bytes(const struct kd_shm *shm)
{
    return kd_team_board_bytes(shm->team.size) + KD_TEAM_LINE;
}

static struct invitation invite(struct kd_shm *shm)
{
    struct invitation invitation = {.pid = getpid(), .fd = kd_shared_make(board_bytes(shm))};
    shm->board = invitation.fd < 0 ? NULL : kd_shared_map(invitation.fd, board_bytes(shm));
    if (shm->board && getrandom(&invitation.secret, sizeof invitation.secret, 0) > 0)
        *secret_of(shm) = invitation.secret;
    return invitation;
}

/* The secret tells rank 0's memory from that of a process which has the same number on another
 * host. */
static void accept_invitation(struct kd_shm *shm, const struct invitation *invitation)
{
    shm->board = kd_shared_map_of(invitation->pid, invitation->fd, board_bytes(shm));
    if (shm->board && *secret_of(shm) != invitation->secret) {
        kd_shared_unmap(shm->board, board_bytes(shm));
        shm->board = NULL;
    }
}

static int meet(struct kd_comm *comm, struct kd_shm *shm, struct kd_error *err)
{
    struct invitation invitation = {0};
    if (comm->rank == 0)
        invitation = invite(shm);
    comm->launcher->broadcast(comm, 0, &invitation, sizeof invitation);
    if (comm->rank != 0)
        accept_invitation(shm, &invitation);
    double n_absent = shm->board ? 0 : 1;
    comm->launcher->sum_doubles(comm, &n_absent, 1);
    if (comm->rank == 0 && invitation.fd >= 0)
        close(invitation.fd);
    if (n_absent > 0)
        return kd_fail(
            err,
            "shm: %.0f of the %d ranks cannot map the memory of rank 0: they are on another "
            "host or in another container; use auto or mpi",
            n_absent, comm->size);
    return 0;
}

static void learn_pids(struct kd_shm *shm)
{
    double *pids = exchange(shm, getpid());
    for (int rank = 0; rank < shm->team.size; rank++) {
        shm->pids[rank] = (pid_t)pids[rank];
        shm->pidfds[rank] = (int)syscall(SYS_pidfd_open, shm->pids[rank], 0);
    }
    free(pids);
}

static void release(struct kd_shm *shm)
{
    for (int rank = 0; rank < shm->team.size; rank++)
        if (shm->pidfds[rank] >= 0)
            close(shm->pidfds[rank]);
    kd_shared_unmap(shm->board, board_bytes(shm));
    kd_team_release(&shm->team);
    kd_arr_release(&shm->segments);
    free(shm->pids);
    free(shm->pidfds);
    free(shm);
}

static int open_shm(struct kd_comm *comm, struct kd_error *err)
{
    struct kd_shm *shm = KD_NEW(struct kd_shm);
    shm->pids = KD_NEW_ARRAY(pid_t, (size_t)comm->size);
    shm->pidfds = KD_NEW_ARRAY(int, (size_t)comm->size);
    memset(shm->pidfds, -1, (size_t)comm->size * sizeof(int));
    shm->deadline_s = comm->deadline_s;
    kd_team_init(&shm->team, NULL, comm->rank, comm->size);
    if (meet(comm, shm, err) < 0) {
        release(shm);
        return -1;
    }
    shm->team.board = shm->board;
    shm->team.still_waiting = still_waiting;
    shm->team.ud = shm;
    learn_pids(shm);
    comm->own[KD_COMM_SHM] = shm;
    shm->stage = alloc_floats(comm, STAGE);
    return 0;
}

static void close_shm(struct kd_comm *comm)
{
    struct kd_shm *shm = own_of(comm);
    free_floats(comm, shm->stage);
    release(shm);
    comm->own[KD_COMM_SHM] = NULL;
}

/* ---- sums */

static void start_in_segment(struct kd_shm *shm, struct segment *segment, const float *values,
                             struct kd_team_job job)
{
    join(shm, segment);
    job.copies = segment->copies;
    job.at = values - segment->copies[shm->team.rank];
    kd_team_start(&shm->team, &job);
}

/* Through the stage: in, done by all, out again. */
static void do_elsewhere(struct kd_shm *shm, float *values, int64_t n, struct kd_team_job job)
{
    memcpy(shm->stage, values, (size_t)n * sizeof(float));
    start_in_segment(shm, segment_of(shm, shm->stage), shm->stage, job);
    kd_team_finish(&shm->team);
    memcpy(values, shm->stage, (size_t)n * sizeof(float));
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void start_sum(struct kd_comm *comm, float *values, int64_t n)
{
    struct kd_shm *shm = own_of(comm);
    struct segment *segment = segment_of(shm, values);
    struct kd_team_job job = {0};
    if (segment && n > 0) {
        kd_team_part(&shm->team, n, &job.begin, &job.end);
        start_in_segment(shm, segment, values, job);
    }
    for (int64_t at = 0; !segment && at < n; at += STAGE) {
        kd_team_part(&shm->team, smaller(n - at, STAGE), &job.begin, &job.end);
        do_elsewhere(shm, values + at, smaller(n - at, STAGE), job);
    }
}

static void start_sum_of_shares(struct kd_comm *comm, float *all, int64_t n_all, int64_t at,
                                int64_t n)
{
    struct kd_shm *shm = own_of(comm);
    struct segment *segment = segment_of(shm, all);
    struct kd_team_job job = {.work = KD_TEAM_SUM_OF_SHARES, .n_all = n_all};
    if (!segment) {
        start_sum(comm, all + at, n);
    } else if (n > 0) {
        kd_team_part(&shm->team, n, &job.begin, &job.end);
        start_in_segment(shm, segment, all + at, job);
    }
}

static void progress(struct kd_comm *comm)
{
    kd_team_progress(&own_of(comm)->team);
}

static void finish_sums(struct kd_comm *comm)
{
    kd_team_finish(&own_of(comm)->team);
}

static void sum_floats(struct kd_comm *comm, float *values, int64_t n)
{
    start_sum(comm, values, n);
    finish_sums(comm);
}

static void sum_doubles(struct kd_comm *comm, double *values, int64_t n)
{
    kd_team_sum_doubles(&own_of(comm)->team, values, n);
}

static void gather_floats(struct kd_comm *comm, float *values, int64_t n)
{
    struct kd_shm *shm = own_of(comm);
    struct segment *segment = segment_of(shm, values);
    struct kd_team_job job = {.work = KD_TEAM_GIVE};
    if (segment && n > 0) {
        kd_comm_share(comm, n, &job.begin, &job.end);
        start_in_segment(shm, segment, values, job);
    }
    for (int64_t at = 0; !segment && at < n; at += STAGE) {
        int64_t n_here = smaller(n - at, STAGE);
        kd_comm_share(comm, n, &job.begin, &job.end);
        kd_comm_cut(at, n_here, &job.begin, &job.end);
        do_elsewhere(shm, values + at, n_here, job);
    }
    finish_sums(comm);
}

/* ---- the rest is rare: the launcher's */

static void broadcast(struct kd_comm *comm, int root, void *bytes, int64_t n)
{
    comm->launcher->broadcast(comm, root, bytes, n);
}

static void wait_broadcast(struct kd_comm *comm, void *bytes, int64_t n)
{
    comm->launcher->wait_broadcast(comm, bytes, n);
}

static void barrier(struct kd_comm *comm)
{
    kd_team_sum_doubles(&own_of(comm)->team, NULL, 0);
}

const struct kd_comm_backend kd_comm_shm = {
    .name = "shm",
    .summary = "ranks of one host, in memory that they share",
    .shares_memory = true,
    .open = open_shm,
    .close = close_shm,
    .alloc_floats = alloc_floats,
    .free_floats = free_floats,
    .start_sum = start_sum,
    .start_sum_of_shares = start_sum_of_shares,
    .progress = progress,
    .finish_sums = finish_sums,
    .sum_floats = sum_floats,
    .sum_doubles = sum_doubles,
    .gather_floats = gather_floats,
    .broadcast = broadcast,
    .wait_broadcast = wait_broadcast,
    .barrier = barrier,
};
