/* bench_allreduce.c - the time of summing floats over the ranks, by shm and by mpi, and of the small sums of batch norm.
 *
 *     mpirun -np 2 bench_allreduce [runs]      prints a table: medians over the runs (9)
 *
 * One figure is the mean over the calls of a run, on the slowest rank; between two calls each rank writes its values anew, as
 * a backward pass does, which is not counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "trainer/comm/comm.h"

enum { MOST_BYTES = 16 << 20, BYTES_A_RUN = 64 << 20, FEWEST_CALLS = 4, MOST_CALLS = 1000 };

static const int64_t float_sizes[] = {1 << 10,   4 << 10, 16 << 10, 64 << 10,
                                      256 << 10, 1 << 20, 4 << 20,  16 << 20};
static const int64_t double_counts[] = {1, 3, 64, 512, 2048};
static const char *const backends[] = {"shm", "mpi"};

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

static double time_floats(struct kd_comm *comm, float *values, int64_t bytes)
{
    int64_t n = bytes / (int64_t)sizeof(float), spent_ns = 0;
    int calls = n_calls(bytes);
    for (int i = 0; i < calls; i++) {
        for (int64_t k = 0; k < n; k++)
            values[k] = (float)(k + i);
        comm->backend->barrier(comm);
        int64_t start_ns = kd_clock_mono_ns();
        comm->backend->start_sum(comm, values, n);
        comm->backend->finish_sums(comm);
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

/* The backends in turn, so that a slow moment of the machine meets both. n_doubles: 0 for floats. */
static void print_row(struct kd_comm *comm, int64_t bytes, int64_t n_doubles, int runs)
{
    struct kd_error err;
    float *memory[KD_COUNT(backends)] = {0};
    double *times[KD_COUNT(backends)], medians[KD_COUNT(backends)];
    for (size_t b = 0; b < KD_COUNT(backends); b++)
        times[b] = KD_NEW_ARRAY(double, (size_t)runs);
    for (int run = -1; run < runs; run++) { /* the first is thrown away */
        for (size_t b = 0; b < KD_COUNT(backends); b++) {
            kd_comm_choose(comm, backends[b], &err);
            if (!memory[b])
                memory[b] = comm->backend->alloc_floats(comm, MOST_BYTES / sizeof(float));
            double us =
                n_doubles ? time_doubles(comm, n_doubles) : time_floats(comm, memory[b], bytes);
            times[b][run < 0 ? 0 : run] = us;
        }
    }
    for (size_t b = 0; b < KD_COUNT(backends); b++) {
        kd_comm_choose(comm, backends[b], &err);
        comm->backend->free_floats(comm, memory[b]);
        medians[b] = median(times[b], runs);
        free(times[b]);
    }
    if (comm->rank == 0)
        printf("| %lld %s | %.1f us | %.1f us | %.1f |\n",
               (long long)(n_doubles ? n_doubles : bytes >> 10), n_doubles ? "doubles" : "KiB",
               medians[0], medians[1], medians[1] / medians[0]);
}

int main(int argc, char **argv)
{
    struct kd_comm comm;
    struct kd_error err;
    int runs = argc > 1 ? atoi(argv[1]) : 9;
    if (runs < 1 || kd_comm_open(&comm, &err) < 0 || kd_comm_choose(&comm, "shm", &err) < 0) {
        fprintf(stderr, "%s\n", runs < 1 ? "the number of runs is 1 or more" : err.text);
        return 1;
    }
    if (comm.rank == 0)
        printf(
            "%d ranks, medians of %d runs\n\n| what | shm | mpi | mpi / shm |\n|---|---|---|---|\n",
            comm.size, runs);
    for (size_t i = 0; i < KD_COUNT(float_sizes); i++)
        print_row(&comm, float_sizes[i], 0, runs);
    for (size_t i = 0; i < KD_COUNT(double_counts); i++)
        print_row(&comm, 0, double_counts[i], runs);
    kd_comm_close(&comm);
    return 0;
}
