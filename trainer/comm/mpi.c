/* mpi.c - ranks over MPI, the only file that includes mpi.h. MPI is used from one thread
 * (MPI_THREAD_FUNNELED).
 *
 * MPI's errors end the job (its default handler): a collective with a missing rank cannot be
 * repaired, and the gang is started anew from its last checkpoint. */
#include <mpi.h>
#include <stdlib.h>
#include <time.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/mem.h"
#include "trainer/comm/comm.h"

enum { LARGEST_COUNT = 1 << 28, NAP_FIRST_US = 50, NAP_LONGEST_US = 1000 };

struct kd_mpi {
    KD_ARR(MPI_Request) sums; /* under way */
    KD_ARR(int) finished;     /* room for MPI_Testsome's answer */
    int n_left;               /* of sums, those that are not done */
    int *counts, *starts;     /* of gather_floats, one a rank */
    MPI_Request largest;
};

static struct kd_mpi *own_of(struct kd_comm *comm)
{
    return comm->own[KD_COMM_MPI];
}

/* Each launcher tells its ranks how many they are; asking MPI would mean starting it. */
static bool is_wanted(void)
{
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *text = getenv(sizes[i]);
        if (text)
            return atoi(text) > 1;
    }
    const char *tasks = getenv("SLURM_NTASKS"); /* srun --mpi=pmix gives no size but this one */
    return getenv("PMIX_RANK") && tasks && atoi(tasks) > 1;
}

/* Ranks of one host are those that could share memory. */
static int local_rank(void)
{
    MPI_Comm host;
    int rank;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_rank(host, &rank);
    MPI_Comm_free(&host);
    return rank;
}

static int open_mpi(struct kd_comm *comm, struct kd_error *err)
{
    int provided;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS ||
        provided < MPI_THREAD_FUNNELED)
        return kd_fail(err, "MPI does not start; is this the mpirun of the MPI library that "
                            "katydid-trainer was built with?");
    MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &comm->size);
    comm->local_rank = local_rank();
    struct kd_mpi *mpi = comm->own[KD_COMM_MPI] = KD_NEW(struct kd_mpi);
    mpi->counts = KD_NEW_ARRAY(int, (size_t)comm->size);
    mpi->starts = KD_NEW_ARRAY(int, (size_t)comm->size);
    return 0;
}

static void close_mpi(struct kd_comm *comm)
{
    struct kd_mpi *mpi = own_of(comm);
    kd_arr_release(&mpi->sums);
    kd_arr_release(&mpi->finished);
    free(mpi->counts);
    free(mpi->starts);
    free(mpi);
    comm->own[KD_COMM_MPI] = NULL;
    MPI_Finalize();
}

static int count_of(int64_t n)
{
    return (int)(n < LARGEST_COUNT ? n : LARGEST_COUNT);
}

static void start_sum(struct kd_comm *comm, float *values, int64_t n)
{
    struct kd_mpi *mpi = own_of(comm);
    for (int64_t at = 0; at < n; at += LARGEST_COUNT) {
        MPI_Request request;
        MPI_Iallreduce(MPI_IN_PLACE, values + at, count_of(n - at), MPI_FLOAT, MPI_SUM,
                       MPI_COMM_WORLD, &request);
        kd_arr_push(&mpi->sums, request);
        mpi->n_left++;
    }
}

/* MPI 3 has no reduction in place into parts that differ by rank and lie where the values are. */
static void start_sum_of_shares(struct kd_comm *comm, float *all, int64_t n_all, int64_t at,
                                int64_t n)
{
    (void)n_all;
    start_sum(comm, all + at, n);
}

static void forget_sums(struct kd_mpi *mpi)
{
    mpi->sums.n = 0;
    mpi->n_left = 0;
}

static void progress(struct kd_comm *comm)
{
    struct kd_mpi *mpi = own_of(comm);
    int n_finished;
    if (mpi->n_left == 0)
        return;
    kd_arr_reserve(&mpi->finished, mpi->sums.n);
    MPI_Testsome((int)mpi->sums.n, mpi->sums.items, &n_finished, mpi->finished.items,
                 MPI_STATUSES_IGNORE);
    if (n_finished != MPI_UNDEFINED)
        mpi->n_left -= n_finished;
    if (mpi->n_left == 0)
        forget_sums(mpi);
}

static void finish_sums(struct kd_comm *comm)
{
    struct kd_mpi *mpi = own_of(comm);
    MPI_Waitall((int)mpi->sums.n, mpi->sums.items, MPI_STATUSES_IGNORE);
    forget_sums(mpi);
}

static void sum_floats(struct kd_comm *comm, float *values, int64_t n)
{
    (void)comm;
    for (int64_t at = 0; at < n; at += LARGEST_COUNT)
        MPI_Allreduce(MPI_IN_PLACE, values + at, count_of(n - at), MPI_FLOAT, MPI_SUM,
                      MPI_COMM_WORLD);
}

static void sum_doubles(struct kd_comm *comm, double *values, int64_t n)
{
    (void)comm;
    for (int64_t at = 0; at < n; at += LARGEST_COUNT)
        MPI_Allreduce(MPI_IN_PLACE, values + at, count_of(n - at), MPI_DOUBLE, MPI_SUM,
                      MPI_COMM_WORLD);
}

/* MPI counts in int: by pieces, in each of which a rank gives what lies there of its share. */
static void gather_floats(struct kd_comm *comm, float *values, int64_t n)
{
    struct kd_mpi *mpi = own_of(comm);
    for (int64_t at = 0; at < n; at += LARGEST_COUNT) {
        for (int rank = 0; rank < comm->size; rank++) {
            int64_t begin, end;
            kd_comm_share_of(rank, comm->size, n, &begin, &end);
            kd_comm_cut(at, count_of(n - at), &begin, &end);
            mpi->starts[rank] = (int)begin;
            mpi->counts[rank] = (int)(end - begin);
        }
        MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values + at, mpi->counts, mpi->starts,
                       MPI_FLOAT, MPI_COMM_WORLD);
    }
}

static void broadcast(struct kd_comm *comm, int root, void *bytes, int64_t n)
{
    (void)comm;
    for (int64_t at = 0; at < n; at += LARGEST_COUNT)
        MPI_Bcast((char *)bytes + at, count_of(n - at), MPI_BYTE, root, MPI_COMM_WORLD);
}

/* MPI's own waiting spins; testing and sleeping leaves the core to others. */
static void wait_broadcast(struct kd_comm *comm, void *bytes, int64_t n)
{
    (void)comm;
    MPI_Request request;
    int done = 0;
    long nap_us = NAP_FIRST_US;
    MPI_Ibcast(bytes, (int)n, MPI_BYTE, 0, MPI_COMM_WORLD, &request);
    for (;;) {
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done)
            return;
        nanosleep(&(struct timespec){.tv_nsec = nap_us * 1000}, NULL);
        nap_us = nap_us * 2 < NAP_LONGEST_US ? nap_us * 2 : NAP_LONGEST_US;
    }
}

static void barrier(struct kd_comm *comm)
{
    (void)comm;
    MPI_Barrier(MPI_COMM_WORLD);
}

static void start_largest(struct kd_comm *comm, int *value)
{
    MPI_Iallreduce(MPI_IN_PLACE, value, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD,
                   &own_of(comm)->largest);
}

static bool has_largest(struct kd_comm *comm)
{
    int done = 0;
    MPI_Test(&own_of(comm)->largest, &done, MPI_STATUS_IGNORE);
    return done;
}

const struct kd_comm_backend kd_comm_mpi = {
    .name = "mpi",
    .summary = "ranks started by mpirun or srun, on any hosts",
    .is_wanted = is_wanted,
    .open = open_mpi,
    .close = close_mpi,
    .alloc_floats = kd_comm_alloc_plain,
    .free_floats = kd_comm_free_plain,
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
    .start_largest = start_largest,
    .has_largest = has_largest,
};
