/* mpi.c - ranks over MPI, the only file that includes mpi.h. MPI is used from one thread (MPI_THREAD_FUNNELED).
 *
 * MPI's errors end the job (its default handler): a collective with a missing rank cannot be repaired, and the gang is
 * started anew from its last checkpoint. */
#include <mpi.h>
#include <stdlib.h>
#include <time.h>

#include "trainer/comm/comm.h"

enum { LARGEST_COUNT = 1 << 28, NAP_FIRST_US = 50, NAP_LONGEST_US = 1000 };

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

static int open_mpi(struct kd_comm *comm, struct kd_error *err)
{
    int provided;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS ||
        provided < MPI_THREAD_FUNNELED)
        return kd_fail(err, "MPI does not start; is this the mpirun of the MPI library that "
                            "katydid-trainer was built with?");
    MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &comm->size);
    return 0;
}

static void close_mpi(struct kd_comm *comm)
{
    (void)comm;
    MPI_Finalize();
}

static int count_of(int64_t n)
{
    return (int)(n < LARGEST_COUNT ? n : LARGEST_COUNT);
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

const struct kd_comm_backend kd_comm_mpi = {
    .name = "mpi",
    .summary = "ranks started by mpirun or srun, on any hosts",
    .is_wanted = is_wanted,
    .open = open_mpi,
    .close = close_mpi,
    .sum_floats = sum_floats,
    .sum_doubles = sum_doubles,
    .broadcast = broadcast,
    .wait_broadcast = wait_broadcast,
    .barrier = barrier,
};
