/* bench_allreduce.c - the time of summing floats over the ranks, by shm and by mpi, and of the small sums of batch norm.
 *
 *     bench_allreduce [runs [ranks]]      starts itself under mpirun; a table of medians over the runs (9), 2 ranks
 *
 * Three ways: shm and mpi as the trainer sums a bucket (start_sum, finish_sums; mpi's is MPI_Iallreduce), and a plain
 * MPI_Allreduce, which the ratio is to. One figure is the mean over the calls of a run, on the slowest rank; between two calls each rank writes its values anew, as
 * a backward pass does, which is not counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "trainer/comm/comm.h"

enum { BYTES_A_RUN = 64 << 20, FEWEST_CALLS = 4, MOST_CALLS = 1000 };

static const int64_t float_sizes[] = {1 << 10,   4 << 10, 16 << 10, 64 << 10,
                                      256 << 10, 1 << 20, 4 << 20,  16 << 20};
static const int64_t double_counts[] = {1, 3, 64, 512, 2048};

static const struct way {
    const char *backend;
    bool at_once; /* sum_floats */
} ways[] = {{"shm", false}, {"mpi", false}, {"mpi", true}};

enum { N_WAYS = KD_COUNT(ways) };

/* ---- one run: mean time of a call in microseconds */

static int n_calls(int64_t bytes)
{
    int64_t n = BYTES_A_RUN / bytes;
    return (int)(n < FEWEST_CALLS ? FEWEST_CALLS : n > MOST_CALLS ? MOST_CALLS : n);
}

static double slowest(struct kd_comm *comm, double us)
{
    double *all = KD_NEW_ARRAY(double, (size_t)comm->size);
    all[comm->rank] = us;
    comm->backend->sum_doubles(comm, all, comm->size);
    for (int rank = 0; rank < comm->size; rank++)
        us = all[rank] > us ? all[rank] : us;
    free(all);
    return us;
}

static void sum(struct kd_comm *comm, float *values, int64_t n, bool at_once)
{
    if (at_once) {
        comm->backend->sum_floats(comm, values, n);
        return;
    }
    comm->backend->start_sum(comm, values, n);
    comm->backend->finish_sums(comm);
}

static double time_floats(struct kd_comm *comm, float *values, int64_t bytes, bool at_once)
{
    int64_t n = bytes / (int64_t)sizeof(float), spent_ns = 0;
    int calls = n_calls(bytes);
    for (int i = 0; i < calls; i++) {
        for (int64_t k = 0; k < n; k++)
            values[k] = (float)(k + i);
        comm->backend->barrier(comm);
        int64_t start_ns = kd_clock_mono_ns();
        sum(comm, values, n, at_once);
        spent_ns += kd_clock_mono_ns() - start_ns;
    }
    return slowest(comm, (double)spent_ns * 1e-3 / calls);
}

static double time_doubles(struct kd_comm *comm, int64_t n)
{
    double *values = KD_NEW_ARRAY(double, (size_t)n);
    comm->backend->barrier(comm);
    int64_t start_ns = kd_clock_mono_ns();
    for (int i = 0; i < MOST_CALLS; i++)
        comm->backend->sum_doubles(comm, values, n);
    double us = (double)(kd_clock_mono_ns() - start_ns) * 1e-3 / MOST_CALLS;
    free(values);
    return slowest(comm, us);
}

/* ---- the table */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

/* n_doubles: 0 for floats. */
static double time_way(struct kd_comm *comm, const struct way *way, int64_t bytes,
                       int64_t n_doubles)
{
    struct kd_error err;
    kd_comm_choose(comm, way->backend, &err);
    if (n_doubles)
        return time_doubles(comm, n_doubles);
    float *values = comm->backend->alloc_floats(comm, bytes / (int64_t)sizeof(float));
    time_floats(comm, values, bytes, way->at_once); /* what the first use costs is not counted */
    double us = time_floats(comm, values, bytes, way->at_once);
    comm->backend->free_floats(comm, values);
    return us;
}

/* The ways in turn, so that a slow moment of the machine meets all. */
static void print_row(struct kd_comm *comm, int64_t bytes, int64_t n_doubles, int runs)
{
    double *times[N_WAYS], medians[N_WAYS];
    for (int way = 0; way < N_WAYS; way++)
        times[way] = KD_NEW_ARRAY(double, (size_t)runs);
    for (int run = 0; run < runs; run++)
        for (int way = 0; way < N_WAYS; way++)
            times[way][run] = time_way(comm, &ways[way], bytes, n_doubles);
    for (int way = 0; way < N_WAYS; way++) {
        medians[way] = median(times[way], runs);
        free(times[way]);
    }
    if (comm->rank == 0)
        printf("| %lld %s | %.1f us | %.1f us | %.1f us | %.1f |\n",
               (long long)(n_doubles ? n_doubles : bytes >> 10), n_doubles ? "doubles" : "KiB",
               medians[0], medians[1], medians[2], medians[2] / medians[0]);
}

static int be_a_rank(int runs)
{
    struct kd_comm comm;
    struct kd_error err;
    if (kd_comm_open(&comm, &err) < 0 || kd_comm_choose(&comm, "shm", &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (comm.rank == 0)
        printf("%d ranks, medians of %d runs\n\n"
               "| what | shm | mpi | MPI_Allreduce | ratio |\n|---|---|---|---|---|\n",
               comm.size, runs);
    for (size_t i = 0; i < KD_COUNT(float_sizes); i++)
        print_row(&comm, float_sizes[i], 0, runs);
    for (size_t i = 0; i < KD_COUNT(double_counts); i++)
        print_row(&comm, 0, double_counts[i], runs);
    kd_comm_close(&comm);
    return 0;
}

int main(int argc, char **argv)
{
    const char *runs = argc > 1 ? argv[1] : "9", *ranks = argc > 2 ? argv[2] : "2";
    if (argc == 3 && strcmp(argv[1], "--rank") == 0)
        return be_a_rank(atoi(argv[2]));
    if (atoi(runs) < 1 || atoi(ranks) < 1) {
        fprintf(stderr, "bench_allreduce [runs [ranks]]: numbers of 1 or more\n");
        return 2;
    }
    execlp("mpirun", "mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "pml", "ob1",
           "--mca", "btl", "self,vader", "-np", ranks, argv[0], "--rank", runs, (char *)NULL);
    perror("mpirun");
    return 1;
}
