/* nccl_standin.c - a library that answers to NCCL's names, for tests without a GPU: sums in the
 * order of ranks, over memory that the processes share.
 *
 * A communicator is a file that is mapped by all ranks and unlinked when all have come; the unique
 * id is its path. What is summed goes through it (nccl_seats.h). Nothing blocks: a call that needs
 * ranks which are not there yet is "in progress", and each ncclCommGetAsyncError goes on with it.
 * It stays so until the sum is done, for which all that the streams were given is done first.
 *
 * What a capturing stream is given is the graph's: a part of the work of the stream that it is
 * launched on, which stays there until the other ranks have come. As with NCCL a communicator does
 * not end before the last graph that has something of it.
 *
 * It refuses what NCCL leaves undefined: calls before the last one is settled, ranks whose calls
 * differ, or that launch the same one by a graph and by itself. And graphs whose buffers are
 * registered, as they are unless NCCL_GRAPH_REGISTER is 0: NCCL gives such a registration up some
 * calls after the graph is gone, and until then takes other memory at the same address for it.
 *
 * KATYDID_NCCL_STANDIN makes it misbehave: "hang=2,rank=1", see `enum setting`. Device memory that
 * the host cannot read is opened by the sim's kd_sim_open_memory around every access, where the
 * program has it. */
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "kernels/cuda/nccl_abi.h"
#include "tests/cuda/nccl_seats.h"
#include "tests/cuda/standin.h"

#define KD_NCCL_CALL(result, name, parameters) result name parameters;
#include "kernels/cuda/nccl_calls.def"
#undef KD_NCCL_CALL
int ncclGetVersion(int *version);

enum { LATE_BY = 5, STANDIN_VERSION = 22809 };

/* ---- how it misbehaves */

enum setting {
    ONLY_RANK,  /* rank=r: only that one does; without it all */
    VERSION,    /* version=21210 is what it says of itself */
    STAYS_AWAY, /* stays_away=2 is what joining is refused with, before anybody else sees it */
    INIT, /* init=5 is what joining ends with; 1, an error of CUDA's, says that the GPU is full */
    INIT_OF,       /* init_of=r: only for that rank, whoever else misbehaves */
    DELAY,         /* delay=n: n times "in progress" before anything is done */
    CAPTURE_FAILS, /* capture_fails=k: the k-th that is captured cannot be */
    SPOILS, /* spoils=1: nor can anything else of that capture, as one of NCCL's own calls of CUDA was refused in it */
    FAIL, /* fail=k: the k-th collective (a group is one) cannot be issued; launched with a graph: ends with an error */
    MEMORY,      /* memory=k: the k-th finds the GPU full */
    HANG,        /* hang=k: the k-th is never done */
    LATE,        /* late=k: the k-th is never done, and after some questions there is an error */
    ABORT_HANGS, /* abort_hangs=1 */
    DESTROY_HANGS,
    N_SETTINGS
};

static const char *const setting_names[N_SETTINGS] = {
    [ONLY_RANK] = "rank=",
    [VERSION] = "version=",
    [STAYS_AWAY] = "stays_away=",
    [INIT] = "init=",
    [INIT_OF] = "init_of=",
    [DELAY] = "delay=",
    [CAPTURE_FAILS] = "capture_fails=",
    [SPOILS] = "spoils=",
    [FAIL] = "fail=",
    [MEMORY] = "memory=",
    [HANG] = "hang=",
    [LATE] = "late=",
    [ABORT_HANGS] = "abort_hangs=",
    [DESTROY_HANGS] = "destroy_hangs=",
};

static int setting(enum setting which, int otherwise)
{
    return kd_standin_told("KATYDID_NCCL_STANDIN", setting_names[which], otherwise);
}

/* ---- a communicator */

enum state { JOINING, JOINED, LEAVING, LEFT };

struct kd_nccl_comm {
    struct seats seats;
    size_t room_bytes;
    char path[sizeof(struct kd_collective_id)];
    int gpu;
    enum state state;
    int result; /* KD_NCCL_IN_PROGRESS: what is not done yet is asked for */
    int n_delays, n_until_error;
    struct run run; /* what is in progress; of an open group, what it has so far */
    void *stream;   /* of the last call */
    int n_launched, n_captures;
    int n_captured; /* that graphs have */
    bool is_hung;
};

static const char *last_error = "";
static const char full_gpu[] = "Failed to CUDA calloc async 4194304 bytes";

static int fail_with(int result, const char *text)
{
    last_error = text;
    return result;
}

static bool misbehaves(const struct kd_nccl_comm *comm)
{
    return setting(ONLY_RANK, comm->seats.rank) == comm->seats.rank;
}

static int own_setting(const struct kd_nccl_comm *comm, enum setting which)
{
    return misbehaves(comm) ? setting(which, 0) : 0;
}

static void delay(struct kd_nccl_comm *comm)
{
    comm->result = KD_NCCL_IN_PROGRESS;
    comm->n_delays = own_setting(comm, DELAY);
}

/* ---- what is issued */

static int run_ops(struct kd_nccl_comm *comm, struct run *run)
{
    int result = kd_seats_run(&comm->seats, run);
    if (result == KD_NCCL_INVALID_USAGE)
        return fail_with(result, "the stand-in: the ranks' calls differ");
    return result;
}

/* After all that it may sum. */
static int run_issued(struct kd_nccl_comm *comm)
{
    struct run *run = &comm->run;
    if (run->n_ops > 0 && !run->is_begun && !kd_standin_streams_are_done())
        return KD_NCCL_IN_PROGRESS;
    run->is_begun = true;
    int result = run_ops(comm, run);
    if (result == KD_NCCL_SUCCESS)
        *run = (struct run){0};
    return result;
}

/* ---- joining and leaving */

static int join(struct kd_nccl_comm *comm)
{
    if (atomic_load(&comm->seats.room->n_joined) < comm->seats.size)
        return KD_NCCL_IN_PROGRESS;
    unlink(comm->path); /* by the first that sees it; it fails for the others */
    comm->state = JOINED;
    int result =
        setting(INIT_OF, comm->seats.rank) == comm->seats.rank ? own_setting(comm, INIT) : 0;
    if (result == KD_NCCL_SUCCESS)
        return result;
    bool is_full = result == KD_NCCL_UNHANDLED_CUDA_ERROR;
    return fail_with(result, is_full ? full_gpu : "the stand-in was told to fail");
}

static int leave(struct kd_nccl_comm *comm)
{
    if (atomic_load(&comm->seats.room->n_left) < comm->seats.size || comm->n_captured > 0)
        return KD_NCCL_IN_PROGRESS;
    comm->state = LEFT;
    return KD_NCCL_SUCCESS;
}

/* What is in progress goes on as far as it can. */
static int progress(struct kd_nccl_comm *comm)
{
    if (comm->n_delays > 0) {
        comm->n_delays--;
        return KD_NCCL_IN_PROGRESS;
    }
    switch (comm->state) {
    case JOINING:
        return join(comm);
    case LEAVING:
        return leave(comm);
    default:
        return run_issued(comm);
    }
}

static int map_room(struct kd_nccl_comm *comm)
{
    comm->room_bytes = sizeof(struct room) + (size_t)comm->seats.size * sizeof(struct seat);
    int file = open(comm->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *room = MAP_FAILED;
    if (file >= 0 && ftruncate(file, (off_t)comm->room_bytes) == 0)
        room = mmap(NULL, comm->room_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0)
        close(file);
    if (room == MAP_FAILED)
        return fail_with(KD_NCCL_SYSTEM_ERROR, "the stand-in: no file for all ranks to map");
    comm->seats.room = room;
    return KD_NCCL_SUCCESS;
}

static void free_comm(struct kd_nccl_comm *comm)
{
    munmap(comm->seats.room, comm->room_bytes);
    free(comm);
}

static bool config_is_right(const struct kd_nccl_config *config)
{
    return config && config->size >= sizeof *config && config->magic == KD_NCCL_CONFIG_MAGIC &&
           config->version == KD_NCCL_CONFIG_VERSION && config->blocking == 0;
}

int ncclGetVersion(int *version)
{
    *version = setting(VERSION, STANDIN_VERSION);
    return KD_NCCL_SUCCESS;
}

/* That this process made and has not joined by: a thread of NCCL's listens for its ranks as long as
 * they have not all come. */
static struct kd_collective_id listens_for;

int ncclGetUniqueId(struct kd_collective_id *id)
{
    uint64_t number = 0;
    const char *folder = getenv("TMPDIR");
    if (!folder || strlen(folder) > sizeof id->bytes - 48)
        folder = "/dev/shm";
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return fail_with(KD_NCCL_SYSTEM_ERROR, "the stand-in: no random number");
    memset(id, 0, sizeof *id);
    snprintf(id->bytes, sizeof id->bytes, "%s/nccl-standin-%016llx", folder,
             (unsigned long long)number);
    listens_for = *id;
    return KD_NCCL_SUCCESS;
}

int ncclCommInitRankConfig(struct kd_nccl_comm **comm, int size, struct kd_collective_id id,
                           int rank, struct kd_nccl_config *config)
{
    *comm = NULL;
    if (!config_is_right(config) || rank < 0 || rank >= size)
        return fail_with(KD_NCCL_INVALID_ARGUMENT, "the stand-in: a wrong rank or configuration");
    if (setting(STAYS_AWAY, 0) && setting(ONLY_RANK, rank) == rank)
        return fail_with(setting(STAYS_AWAY, 0), "the stand-in was told to stay away");
    struct kd_nccl_comm *made = calloc(1, sizeof *made);
    if (!made)
        return KD_NCCL_SYSTEM_ERROR;
    made->seats.rank = rank;
    made->seats.size = size;
    made->gpu = kd_standin_current_gpu();
    memcpy(made->path, id.bytes, sizeof id.bytes);
    if (map_room(made) != KD_NCCL_SUCCESS) {
        free(made);
        return KD_NCCL_SYSTEM_ERROR;
    }
    if (memcmp(&listens_for, &id, sizeof id) == 0)
        listens_for = (struct kd_collective_id){0};
    atomic_fetch_add(&made->seats.room->n_joined, 1);
    delay(made);
    *comm = made;
    return KD_NCCL_IN_PROGRESS;
}

int ncclCommFinalize(struct kd_nccl_comm *comm)
{
    if (comm->result != KD_NCCL_SUCCESS || comm->state != JOINED)
        return fail_with(KD_NCCL_INVALID_USAGE, "the stand-in: finalized before it is settled");
    if (listens_for.bytes[0])
        return fail_with(KD_NCCL_INVALID_USAGE, "the stand-in: listens for ranks that never come");
    comm->state = LEAVING;
    atomic_fetch_add(&comm->seats.room->n_left, 1);
    delay(comm);
    return KD_NCCL_IN_PROGRESS;
}

static atomic_bool is_hanging;

/* A library whose thread hangs has an end that waits for it, as exit() would. */
__attribute__((destructor)) static void wait_for_threads(void)
{
    while (is_hanging)
        pause();
}

/* A thread whose current GPU is another one would leave a context there. */
static void check_gpu(const struct kd_nccl_comm *comm)
{
    if (kd_standin_current_gpu() != comm->gpu)
        abort();
}

int ncclCommDestroy(struct kd_nccl_comm *comm)
{
    check_gpu(comm);
    is_hanging = own_setting(comm, DESTROY_HANGS) != 0;
    if (comm->state != LEFT)
        abort(); /* NCCL would block */
    while (own_setting(comm, DESTROY_HANGS))
        pause();
    free_comm(comm);
    return KD_NCCL_SUCCESS;
}

int ncclCommAbort(struct kd_nccl_comm *comm)
{
    kd_standin_check_that_nothing_captures();
    check_gpu(comm);
    is_hanging = own_setting(comm, ABORT_HANGS) != 0;
    while (own_setting(comm, ABORT_HANGS) || comm->n_captured > 0)
        pause();
    if (comm->state == JOINING)
        unlink(comm->path);
    kd_standin_hold_streams(false);
    free_comm(comm);
    return KD_NCCL_SUCCESS;
}

int ncclCommGetAsyncError(struct kd_nccl_comm *comm, int *result)
{
    if (comm->n_until_error > 0 && --comm->n_until_error == 0)
        comm->result = fail_with(KD_NCCL_REMOTE_ERROR, "the stand-in was told to fail late");
    if (comm->result == KD_NCCL_IN_PROGRESS)
        comm->result = progress(comm);
    *result = comm->result;
    return KD_NCCL_SUCCESS;
}

const char *ncclGetErrorString(int result)
{
    static const char *const texts[] = {
        "no error",         "unhandled cuda error", "unhandled system error", "internal error",
        "invalid argument", "invalid usage",        "remote process exited",  "in progress"};
    return result >= 0 && result < (int)(sizeof texts / sizeof *texts) ? texts[result] : "unknown";
}

const char *ncclGetLastError(struct kd_nccl_comm *comm)
{
    (void)comm;
    return last_error;
}

/* ---- collectives */

static int n_groups;
static struct kd_nccl_comm *grouped; /* that the open group is of */

/* Here the k-th collective fails or hangs; `result` tells of it, or that all is well. */
static bool is_spoilt(struct kd_nccl_comm *comm, int *result)
{
    int number = ++comm->n_launched;
    if (own_setting(comm, FAIL) == number) {
        *result = comm->result = fail_with(KD_NCCL_INTERNAL_ERROR, "the stand-in was told to fail");
        return true;
    }
    if (own_setting(comm, MEMORY) == number) {
        *result = comm->result = fail_with(KD_NCCL_UNHANDLED_CUDA_ERROR, full_gpu);
        return true;
    }
    if (own_setting(comm, HANG) != number && own_setting(comm, LATE) != number)
        return false;
    comm->n_until_error = own_setting(comm, LATE) == number ? LATE_BY : 0;
    comm->run.n_ops = 0;
    comm->is_hung = true;
    kd_standin_hold_streams(true);
    *result = KD_NCCL_SUCCESS;
    return true;
}

/* ---- in graphs */

struct captured {
    struct kd_nccl_comm *comm;
    struct run run;
};

static int end_captured(struct captured *captured, int result)
{
    captured->comm->result = result;
    captured->run.is_begun = captured->run.has_posted = false;
    captured->run.op_at = 0;
    captured->run.op_bytes = 0;
    return true;
}

/* Is it done? An error is told by the communicator, and lets the stream go on. */
static int run_captured(void *ud)
{
    struct captured *captured = ud;
    struct kd_nccl_comm *comm = captured->comm;
    int result = KD_NCCL_SUCCESS;
    if (comm->is_hung)
        return false;
    if (!captured->run.is_begun && is_spoilt(comm, &result))
        return comm->is_hung ? false : end_captured(captured, result);
    captured->run.is_begun = true;
    result = run_ops(comm, &captured->run);
    return result == KD_NCCL_IN_PROGRESS ? false : end_captured(captured, result);
}

static void drop_captured(void *ud)
{
    struct captured *captured = ud;
    captured->comm->n_captured--;
    free(captured);
}

static bool registers_buffers(void)
{
    const char *told = getenv("NCCL_GRAPH_REGISTER");
    return !told || strcmp(told, "0") != 0;
}

static int capture(struct kd_nccl_comm *comm)
{
    if (own_setting(comm, CAPTURE_FAILS) == ++comm->n_captures) {
        if (own_setting(comm, SPOILS))
            kd_standin_spoil_captures();
        return comm->result =
                   fail_with(KD_NCCL_INTERNAL_ERROR, "the stand-in was told not to be captured");
    }
    if (registers_buffers())
        return comm->result = fail_with(KD_NCCL_INVALID_USAGE, "the stand-in: a graph's buffers "
                                                               "are registered, and soon freed");
    struct captured *captured = calloc(1, sizeof *captured);
    if (!captured)
        return KD_NCCL_SYSTEM_ERROR;
    *captured = (struct captured){.comm = comm, .run = comm->run};
    captured->run.is_captured = true;
    comm->run = (struct run){0};
    comm->n_captured++;
    kd_standin_give_sim(comm->stream, run_captured, captured, drop_captured);
    delay(comm);
    return comm->result;
}

static int launch(struct kd_nccl_comm *comm)
{
    int result;
    if (kd_standin_is_captured(comm->stream))
        return capture(comm);
    if (is_spoilt(comm, &result))
        return result;
    delay(comm);
    comm->result = progress(comm);
    return comm->result;
}

static int check_call(const struct kd_nccl_comm *comm, int type)
{
    if (comm->state != JOINED || comm->result != KD_NCCL_SUCCESS)
        return fail_with(KD_NCCL_INVALID_USAGE, "the stand-in: the last call is not settled");
    if (type != KD_NCCL_FLOAT && type != KD_NCCL_DOUBLE)
        return fail_with(KD_NCCL_INVALID_ARGUMENT, "the stand-in: floats and doubles only");
    return KD_NCCL_SUCCESS;
}

static int add(struct kd_nccl_comm *comm, struct op op)
{
    if (comm->run.n_ops == MAX_OPS || op.root < 0 || op.root >= comm->seats.size)
        return fail_with(KD_NCCL_INVALID_ARGUMENT, "the stand-in: a long group, or a wrong root");
    if (op.bytes > 0)
        comm->run.ops[comm->run.n_ops++] = op;
    return KD_NCCL_SUCCESS;
}

static int end_call(struct kd_nccl_comm *comm, void *stream)
{
    comm->stream = stream;
    if (n_groups == 0)
        return launch(comm);
    grouped = comm;
    return KD_NCCL_SUCCESS;
}

static size_t bytes_of(int type)
{
    return type == KD_NCCL_FLOAT ? sizeof(float) : sizeof(double);
}

/* As many ops as there are ranks where each rank has a block of its own: `op` is that of rank 0,
 * moved on by the steps. */
static int add_blocks(struct kd_nccl_comm *comm, struct op op, size_t from_step, size_t to_step,
                      void *stream)
{
    int result = check_call(comm, op.type);
    for (int rank = 0; rank < comm->seats.size && result == KD_NCCL_SUCCESS; rank++) {
        op.root = rank;
        result = add(comm, op);
        op.from += from_step;
        op.to += to_step;
    }
    return result == KD_NCCL_SUCCESS ? end_call(comm, stream) : result;
}

static int add_one(struct kd_nccl_comm *comm, struct op op, void *stream)
{
    int result = check_call(comm, op.type);
    if (result == KD_NCCL_SUCCESS)
        result = add(comm, op);
    return result == KD_NCCL_SUCCESS ? end_call(comm, stream) : result;
}

int ncclGroupStart(void)
{
    n_groups++;
    return KD_NCCL_SUCCESS;
}

int ncclGroupEnd(void)
{
    if (n_groups == 0)
        return fail_with(KD_NCCL_INVALID_USAGE, "the stand-in: no group is open");
    struct kd_nccl_comm *comm = grouped;
    if (--n_groups > 0 || !comm)
        return KD_NCCL_SUCCESS;
    grouped = NULL;
    return launch(comm);
}

int ncclAllReduce(const void *from, void *to, size_t n, int type, int operation,
                  struct kd_nccl_comm *comm, void *stream)
{
    (void)operation;
    struct op op = {.from = from,
                    .to = to,
                    .bytes = n * bytes_of(type),
                    .type = type,
                    .is_sum = true,
                    .is_for_all = true};
    return add_one(comm, op, stream);
}

int ncclReduce(const void *from, void *to, size_t n, int type, int operation, int root,
               struct kd_nccl_comm *comm, void *stream)
{
    (void)operation;
    struct op op = {.from = from,
                    .to = to,
                    .bytes = n * bytes_of(type),
                    .type = type,
                    .root = root,
                    .is_sum = true};
    return add_one(comm, op, stream);
}

int ncclBroadcast(const void *from, void *to, size_t n, int type, int root,
                  struct kd_nccl_comm *comm, void *stream)
{
    struct op op = {
        .from = from, .to = to, .bytes = n * bytes_of(type), .type = type, .root = root};
    return add_one(comm, op, stream);
}

/* Every rank reads all blocks of its own and writes one. */
#ifndef KD_STANDIN_LACKS_REDUCE_SCATTER
int ncclReduceScatter(const void *from, void *to, size_t n_each, int type, int operation,
                      struct kd_nccl_comm *comm, void *stream)
{
    (void)operation;
    struct op op = {
        .from = from, .to = to, .bytes = n_each * bytes_of(type), .type = type, .is_sum = true};
    return add_blocks(comm, op, op.bytes, 0, stream);
}
#endif

/* Every rank reads one block and writes all. */
int ncclAllGather(const void *from, void *to, size_t n_each, int type, struct kd_nccl_comm *comm,
                  void *stream)
{
    struct op op = {.from = from, .to = to, .bytes = n_each * bytes_of(type), .type = type};
    return add_blocks(comm, op, 0, op.bytes, stream);
}
