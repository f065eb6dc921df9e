/* bench_checkpoint.c - what saving and loading a model of 10 million parameters (adamw: 118 MB)
 * cost, beside one plain write and fsync of as many bytes.
 *
 *     bench_checkpoint [FOLDER [runs]]              one rank; FOLDER is on the disk that is meant (default: here)
 *     mpirun -np 2 bench_checkpoint [FOLDER [runs]]
 *
 * Each run does the three one after the other, so that what the disk does meanwhile meets all
 * alike; prints medians. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "trainer/checkpoint.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/file_io.h"
#include "trainer/models/plan_update.h"
#include "trainer/optim/optimizer.h"

enum { RUNS_MAX = 100 };
static const char MODEL[] =
    "[{\"linear\": {\"units\": 2900}}, \"relu\", {\"linear\": {\"units\": 2600}},"
    " \"relu\", {\"linear\": {\"units\": 10}}]";

struct times {
    double plain[RUNS_MAX], save[RUNS_MAX], load[RUNS_MAX];
};

struct bench {
    struct kd_comm comm;
    struct kd_plan *plan;
    struct kd_checkpoint_place place;
    struct kd_training_state state;
    const struct kd_optimizer *optimizer;
    char *buffer; /* rank 0: as many bytes as a checkpoint has */
    int64_t n_bytes;
};

static void stop_on(int status, const struct kd_error *err)
{
    if (status >= 0)
        return;
    fprintf(stderr, "bench_checkpoint: %s\n", err->text);
    exit(EXIT_FAILURE);
}

static struct kd_plan *make_plan(struct bench *bench)
{
    struct kd_error err;
    json_t *model = json_loads(MODEL, 0, NULL);
    struct kd_plan_options options = {.model = model,
                                      .input = {.shape = {{784}, .n_dims = 1}, .n_outputs = 10},
                                      .loss = KD_LOSS_CROSS_ENTROPY,
                                      .max_batch = 1,
                                      .device = kd_device_find("cpu", NULL),
                                      .comm = &bench->comm};
    struct kd_plan *plan = kd_plan_new(&options, &err);
    stop_on(plan ? 0 : -1, &err);
    kd_plan_prepare_update(plan, &(struct kd_update_options){.optimizer = bench->optimizer});
    kd_plan_reset(plan, 1);
    json_decref(model);
    return plan;
}

static double ms_since(int64_t start_us)
{
    return (double)(kd_clock_mono_us() - start_us) * 1e-3;
}

static double write_plainly(const struct bench *bench)
{
    struct kd_error err;
    char *path = kd_format("%s/plain", bench->place.folder);
    bench->comm.backend->barrier((struct kd_comm *)&bench->comm);
    int64_t start_us = kd_clock_mono_us();
    if (bench->comm.rank == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        stop_on(kd_file_write_at(fd, path, 0, bench->buffer, bench->n_bytes, &err), &err);
        if (fsync(fd) < 0)
            stop_on(kd_fail_errno(&err, "%s", path), &err);
        close(fd);
    }
    double ms = ms_since(start_us);
    if (bench->comm.rank == 0)
        unlink(path);
    free(path);
    return ms;
}

static double save(struct bench *bench)
{
    struct kd_error err;
    struct kd_checkpoint_file file = {0};
    const struct kd_keeping keeping = {.last = 2};
    bench->state.step++;
    bench->comm.backend->barrier(&bench->comm);
    int64_t start_us = kd_clock_mono_us();
    stop_on(kd_checkpoint_save(&bench->place, bench->plan, &bench->state, &keeping, &file, &err),
            &err);
    bench->n_bytes = file.bytes;
    return ms_since(start_us);
}

static double load(struct bench *bench)
{
    struct kd_error err;
    struct kd_checkpoint checkpoint;
    struct kd_training_state state = {.optimizer = "adamw", .n_slots = 2};
    bench->comm.backend->barrier(&bench->comm);
    int64_t start_us = kd_clock_mono_us();
    stop_on(kd_checkpoint_open_newest(&bench->place, &checkpoint, &err), &err);
    stop_on(kd_checkpoint_restore(&checkpoint, bench->plan, &state, &err), &err);
    double ms = ms_since(start_us);
    kd_checkpoint_release(&checkpoint);
    kd_training_state_release(&state);
    return ms;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(const char *what, double *ms, int n, int64_t bytes)
{
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    printf("%-28s %8.1f %8.1f %8.1f ms %8.0f MB/s\n", what, ms[n / 2], ms[0], ms[n - 1],
           (double)bytes * 1e-3 / ms[n / 2]);
}

static void measure(struct bench *bench, int n_runs)
{
    static struct times times;
    save(bench);
    bench->buffer = bench->comm.rank == 0 ? kd_alloc((size_t)bench->n_bytes) : NULL;
    for (int i = 0; i < n_runs; i++) {
        times.plain[i] = write_plainly(bench);
        times.save[i] = save(bench);
        times.load[i] = load(bench);
    }
    if (bench->comm.rank > 0)
        return;
    printf("%lld parameters, adamw, %.1f MB, %d rank%s, %d runs: median, least, greatest\n",
           (long long)kd_plan_n_parameters(bench->plan), (double)bench->n_bytes * 1e-6,
           bench->comm.size, bench->comm.size > 1 ? "s" : "", n_runs);
    print("one plain write and fsync", times.plain, n_runs, bench->n_bytes);
    print("checkpoint saved", times.save, n_runs, bench->n_bytes);
    print("checkpoint checked and loaded", times.load, n_runs, bench->n_bytes);
    free(bench->buffer);
}

int main(int argc, char **argv)
{
    struct kd_error err;
    struct bench bench = {.optimizer = kd_optimizer_find("adamw")};
    int n_runs = argc > 2 ? atoi(argv[2]) : 10;
    char *folder = kd_format("%s/bench-checkpoint", argc > 1 ? argv[1] : ".");
    stop_on(kd_comm_open(&bench.comm, &err), &err);
    bench.plan = make_plan(&bench);
    bench.place = (struct kd_checkpoint_place){.folder = folder, .comm = &bench.comm};
    bench.state = (struct kd_training_state){
        .steps_per_epoch = 1, .optimizer = "adamw", .n_slots = 2, .reports = json_array()};
    measure(&bench, n_runs < 1 ? 1 : n_runs > RUNS_MAX ? RUNS_MAX : n_runs);
    if (bench.comm.rank == 0) {
        kd_checkpoint_clear(folder);
        rmdir(folder);
    }
    kd_training_state_release(&bench.state);
    kd_plan_free(bench.plan);
    kd_comm_close(&bench.comm);
    free(folder);
    return EXIT_SUCCESS;
}
