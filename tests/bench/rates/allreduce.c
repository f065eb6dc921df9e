/* allreduce.c - katydid-bench allreduce: the time of sums over the ranks, each way that the trainer
 * has, and of the small sums of batch norm.
 *
 * One figure is the mean over the calls of a run, on the slowest rank; between two calls each rank
 * writes its values anew, as a backward pass does, which is not counted. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "tests/bench/rates/bench_device.h"
#include "tests/bench/rates/options.h"
#include "tests/bench/rates/rates.h"
#include "tests/bench/rates/stopwatch.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/exchange.h"

static const char usage[] =
    "usage: katydid-bench allreduce [options] [PATTERN]\n"
    "\n"
    "Sums of gradients over ranks, of 1 KiB to 64 MiB: microseconds, and bytes over time as GB/s. "
    "Under mpirun\n"
    "it is a rank; alone it starts itself under mpirun. PATTERN chooses ways:\n"
    "\n"
    "  shm, mpi            the host's memory, as the trainer sums a bucket\n"
    "  mpi-plain           one MPI_Allreduce\n"
    "  staged-shm, -mpi    a GPU's memory by way of the host (--device cuda)\n"
    "  nccl                GPU to GPU, where each rank has one (--device cuda)\n"
    "\n"
    "  --device NAME   cpu (the default) or cuda\n"
    "  --ranks N       when it starts itself (default 2)\n"
    "  --runs N        the median counts (default 9)\n"
    "  --quick         the smallest size, once: does it run at all?\n";

enum { BYTES_A_RUN = 64 << 20, FEWEST_CALLS = 4, MOST_CALLS = 1000 };

static const int64_t float_sizes[] = {1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10,
                                      1 << 20, 4 << 20, 16 << 20, 64 << 20};
static const int64_t double_counts[] = {1, 3, 64, 512, 2048};

static const struct way {
    const char *name, *backend;
    bool on_device; /* the memory that is summed is not the host's */
    bool at_once;   /* sum_floats */
    bool by_nccl;
} ways[] = {
    {"shm", "shm", .on_device = false},       {"mpi", "mpi", .on_device = false},
    {"mpi-plain", "mpi", .at_once = true},    {"staged-shm", "shm", .on_device = true},
    {"staged-mpi", "mpi", .on_device = true}, {"nccl", "mpi", .on_device = true, .by_nccl = true},
};

enum { N_WAYS = KD_COUNT(ways) };

struct gang {
    struct kd_comm comm;
    struct bench_device bench, host; /* what was asked for, and the CPU */
    struct kd_nccl_gang nccl;
    bool is_chosen[N_WAYS];
    const struct rates_options *options;
};

/* ---- one run: mean time of a call in microseconds */

static int n_calls(const struct gang *gang, int64_t bytes)
{
    int64_t n = BYTES_A_RUN / bytes;
    if (gang->options->is_quick)
        return 1;
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

static void sum(struct kd_exchange *exchange, float *values, int64_t n, const struct way *way)
{
    if (way->at_once) {
        exchange->by->sum_floats(exchange->comm, values, n);
        return;
    }
    kd_exchange_start_sum(exchange, (struct kd_stretch){.all = values, .n_all = n, .n = n});
    kd_exchange_finish(exchange);
    kd_exchange_wait(exchange);
}

static double time_floats(const struct gang *gang, struct kd_exchange *exchange, float *values,
                          int64_t n, const struct way *way)
{
    const struct kd_device *device = exchange->device;
    int64_t spent_ns = 0;
    int calls = n_calls(gang, n * (int64_t)sizeof(float));
    for (int i = 0; i < calls; i++) {
        kd_call_run(&KD_CALL(fill, .x = values, .n = n, .value = (float)i), device->ops,
                    exchange->queue);
        device->wait(exchange->queue);
        exchange->by->barrier(exchange->comm);
        int64_t start_ns = kd_clock_mono_ns();
        sum(exchange, values, n, way);
        spent_ns += kd_clock_mono_ns() - start_ns;
    }
    return slowest(exchange->comm, (double)spent_ns * 1e-3 / calls);
}

/* What the first use costs is not counted. */
static double time_way(struct gang *gang, const struct way *way, int64_t n)
{
    const struct bench_device *at = way->on_device ? &gang->bench : &gang->host;
    struct kd_exchange exchange;
    struct kd_error err;
    if (kd_comm_choose(&gang->comm, way->backend, &err) < 0 ||
        kd_exchange_init(&exchange, &gang->comm, at->device, at->queue,
                         way->by_nccl ? &gang->nccl : NULL, &err) < 0)
        kd_bug("%s was there a moment ago: %s", way->name, err.text);
    float *values = kd_exchange_alloc(&exchange, n);
    time_floats(gang, &exchange, values, n, way);
    double us = time_floats(gang, &exchange, values, n, way);
    kd_exchange_free(&exchange, values);
    kd_exchange_release(&exchange);
    return us;
}

static double time_doubles(struct gang *gang, const struct way *way, int64_t n)
{
    struct kd_error err;
    int calls = gang->options->is_quick ? 1 : MOST_CALLS;
    double *values = KD_NEW_ARRAY(double, (size_t)n);
    if (kd_comm_choose(&gang->comm, way->backend, &err) < 0)
        kd_bug("%s was there a moment ago: %s", way->name, err.text);
    gang->comm.backend->barrier(&gang->comm);
    int64_t start_ns = kd_clock_mono_ns();
    for (int i = 0; i < calls; i++)
        gang->comm.backend->sum_doubles(&gang->comm, values, n);
    double us = (double)(kd_clock_mono_ns() - start_ns) * 1e-3 / calls;
    free(values);
    return slowest(&gang->comm, us);
}

/* ---- which ways there are here */

static bool has_backend(struct gang *gang, const char *name)
{
    struct kd_error err;
    return kd_comm_choose(&gang->comm, name, &err) == 0;
}

static void choose_ways(struct gang *gang)
{
    struct kd_error err;
    bool has_gpu = !gang->bench.device->is_host;
    for (int w = 0; w < N_WAYS; w++)
        gang->is_chosen[w] = rates_options_match(gang->options, ways[w].name, ways[w].name) &&
                             (has_gpu || !ways[w].on_device) && has_backend(gang, ways[w].backend);
    for (int w = 0; w < N_WAYS; w++) {
        if (!gang->is_chosen[w] || !ways[w].by_nccl)
            continue;
        gang->is_chosen[w] =
            kd_nccl_gang_open(&gang->nccl, &gang->comm, gang->bench.device, &err) == 0;
        if (!gang->is_chosen[w] && gang->comm.rank == 0)
            printf("no %s: %s\n", ways[w].name, err.text);
    }
}

/* ---- the table */

static void print_head(const struct gang *gang)
{
    if (gang->comm.rank > 0)
        return;
    printf("%d ranks, medians of %d runs; ", gang->comm.size, gang->options->runs);
    bench_device_print(&gang->bench);
    printf("| what |");
    for (int w = 0; w < N_WAYS; w++)
        if (gang->is_chosen[w])
            printf(" %s |", ways[w].name);
    printf("\n|---|");
    for (int w = 0; w < N_WAYS; w++)
        if (gang->is_chosen[w])
            printf("---|");
    printf("\n");
}

static void print_row(const struct gang *gang, int64_t bytes, int64_t n_doubles, double **times)
{
    bool is_first = gang->comm.rank == 0;
    if (is_first && n_doubles)
        printf("| %lld doubles |", (long long)n_doubles);
    else if (is_first)
        printf("| %lld KiB |", (long long)bytes >> 10);
    for (int w = 0; w < N_WAYS; w++) {
        if (!gang->is_chosen[w])
            continue;
        double us = stopwatch_median(times[w], gang->options->runs);
        if (is_first && n_doubles)
            printf(" %.1f us |", us);
        else if (is_first)
            printf(" %.1f us, %.2f GB/s |", us, (double)bytes / us * 1e-3);
    }
    if (is_first)
        printf("\n");
    fflush(stdout);
}

/* The ways in turn, so that a slow moment of the machine meets all. n_doubles: 0 for floats. */
static void measure_row(struct gang *gang, int64_t bytes, int64_t n_doubles)
{
    int runs = gang->options->runs;
    double *times[N_WAYS];
    for (int w = 0; w < N_WAYS; w++)
        times[w] = KD_NEW_ARRAY(double, (size_t)runs);
    for (int run = 0; run < runs; run++)
        for (int w = 0; w < N_WAYS; w++)
            if (gang->is_chosen[w])
                times[w][run] = n_doubles
                                    ? time_doubles(gang, &ways[w], n_doubles)
                                    : time_way(gang, &ways[w], bytes / (int64_t)sizeof(float));
    print_row(gang, bytes, n_doubles, times);
    for (int w = 0; w < N_WAYS; w++)
        free(times[w]);
}

static void measure(struct gang *gang)
{
    bool is_quick = gang->options->is_quick;
    choose_ways(gang);
    print_head(gang);
    for (size_t i = 0; i < (is_quick ? 1 : KD_COUNT(float_sizes)); i++)
        measure_row(gang, float_sizes[i], 0);
    for (int w = 0; w < N_WAYS; w++) /* of the host's own numbers */
        gang->is_chosen[w] = gang->is_chosen[w] && !ways[w].on_device && !ways[w].at_once;
    for (size_t i = 0; i < (is_quick ? 1 : KD_COUNT(double_counts)); i++)
        measure_row(gang, 0, double_counts[i]);
}

/* ---- ranks */

static int open_devices(struct gang *gang, struct kd_error *err)
{
    bool failed = bench_device_open(&gang->host, "cpu", 0, KD_PRECISION_FP32, err) < 0 ||
                  bench_device_open(&gang->bench, gang->options->device, gang->comm.local_rank,
                                    KD_PRECISION_FP32, err) < 0;
    if (kd_comm_any_failed(&gang->comm, failed, err))
        return -1;
    bench_device_measure(&gang->bench, gang->options->is_quick);
    return 0;
}

static int be_a_rank(struct gang *gang, struct kd_error *err)
{
    int status = open_devices(gang, err);
    if (status == 0)
        measure(gang);
    kd_nccl_gang_close(&gang->nccl);
    bench_device_close(&gang->bench);
    bench_device_close(&gang->host);
    return status;
}

/* mpirun with the same words, on one host. */
static int start_ranks(char **argv, int n_ranks)
{
    static const char *const before[] = {
        "mpirun", "--oversubscribe", "--bind-to", "none",       "--mca", "pml",
        "ob1",    "--mca",           "btl",       "self,vader", "-np"};
    KD_ARR(char *) words = {0};
    char program[PATH_MAX] = "";
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        perror("/proc/self/exe");
    for (size_t i = 0; i < KD_COUNT(before); i++)
        kd_arr_push(&words, kd_strdup(before[i]));
    kd_arr_push(&words, kd_format("%d", n_ranks));
    kd_arr_push(&words, program);
    for (int i = 0; argv[i]; i++)
        kd_arr_push(&words, argv[i]);
    kd_arr_push(&words, NULL);
    execvp("mpirun", words.items);
    perror("katydid-bench allreduce: mpirun, which starts the ranks");
    return 1;
}

/* As a rank of a launcher; *is_alone: there is none, and nothing was done. */
static int run(const struct rates_options *options, bool *is_alone)
{
    struct gang gang = {.options = options};
    struct kd_error err;
    int status = kd_comm_open(&gang.comm, &err);
    *is_alone = status == 0 && strcmp(gang.comm.launcher->name, "self") == 0;
    if (status == 0 && !*is_alone)
        status = be_a_rank(&gang, &err);
    if (status < 0)
        fprintf(stderr, "katydid-bench allreduce: %s\n", err.text);
    kd_comm_close(&gang.comm);
    return -status;
}

int bench_allreduce(int argc, char **argv)
{
    struct rates_options options = {.device = "cpu", .runs = 9, .ranks = 2};
    bool is_alone;
    int status = rates_options_read(&options, argc, argv, usage);
    if (status >= 0)
        return status;
    options.runs = options.is_quick ? 1 : options.runs;
    status = run(&options, &is_alone);
    return is_alone ? start_ranks(argv, options.ranks) : status; /* getopt only moved the words */
}
