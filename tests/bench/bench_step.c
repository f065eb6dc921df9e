/* bench_step.c - time of one training step (forward, backward, optimizer) of two MLPs on one thread.
 *
 *     bench_step [runs]      prints a table: the median, least and greatest over the runs
 *
 * tests/bench/peer_step.py times the same in PyTorch, where it is installed. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "trainer/models/plan.h"
#include "trainer/optim/optimizer.h"

enum { FEATURES = 784, CLASSES = 10, STEPS_A_RUN = 200, BATCH_MAX = 64 };

static const struct {
    const char *name, *model, *optimizer;
    int64_t batch;
} cases[] = {
    {"784-64-32-10, batch 32, sgd momentum",
     "[{\"linear\":{\"units\":64}},\"relu\",{\"linear\":{\"units\":32}},\"relu\","
     "{\"linear\":{\"units\":10}}]",
     "{\"name\":\"sgd\",\"lr\":0.01,\"momentum\":0.9}", 32},
    {"784-64-32-10, batch 32, adamw",
     "[{\"linear\":{\"units\":64}},\"relu\",{\"linear\":{\"units\":32}},\"relu\","
     "{\"linear\":{\"units\":10}}]",
     "{\"name\":\"adamw\"}", 32},
    {"784-64-32-10, batch 32, gelu, dropout 0.1, adamw",
     "[{\"linear\":{\"units\":64}},\"gelu\",{\"dropout\":{\"p\":0.1}},{\"linear\":{\"units\":32}},"
     "\"gelu\",{\"dropout\":{\"p\":0.1}},{\"linear\":{\"units\":10}}]",
     "{\"name\":\"adamw\"}", 32},
    {"784-256-128-10, batch 64, sgd momentum",
     "[{\"linear\":{\"units\":256}},\"relu\",{\"linear\":{\"units\":128}},\"relu\","
     "{\"linear\":{\"units\":10}}]",
     "{\"name\":\"sgd\",\"lr\":0.01,\"momentum\":0.9}", 64},
};

struct data {
    float x[BATCH_MAX * FEATURES];
    int32_t labels[BATCH_MAX];
    int64_t samples[BATCH_MAX];
};

static void fill_data(struct data *data)
{
    struct kd_rng rng = kd_rng_at(1, 1);
    for (int i = 0; i < BATCH_MAX * FEATURES; i++)
        data->x[i] = (float)kd_rng_uniform(&rng);
    for (int i = 0; i < BATCH_MAX; i++) {
        data->labels[i] = (int32_t)kd_rng_below(&rng, CLASSES);
        data->samples[i] = i;
    }
}

/* Thread time: what a neighbour on the same core takes is not counted. */
static double thread_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double time_run(struct kd_plan *plan, const struct kd_optimizer *optimizer,
                       struct kd_hyper *hyper, struct kd_batch *batch)
{
    double start = thread_us();
    for (int i = 0; i < STEPS_A_RUN; i++) {
        struct kd_batch_result result;
        batch->step++;
        hyper->step++;
        kd_plan_backward(plan, batch, &result);
        optimizer->step(plan, hyper);
    }
    return (thread_us() - start) / STEPS_A_RUN;
}

static int run_case(size_t c, const struct data *data, int n_runs, struct kd_error *err)
{
    json_t *model = json_loads(cases[c].model, 0, NULL);
    json_t *block = json_loads(cases[c].optimizer, 0, NULL);
    const struct kd_optimizer *optimizer;
    struct kd_hyper hyper;
    struct kd_input input = {.shape = {{FEATURES}, .n_dims = 1}, .n_outputs = CLASSES};
    struct kd_plan *plan = kd_plan_new(
        &(struct kd_plan_options){
            .model = model, .input = input, .max_batch = BATCH_MAX, .device = "cpu"},
        err);
    if (!plan || kd_optimizer_read(block, &optimizer, &hyper, err) != 0)
        return -1;
    kd_plan_reset(plan, 1);
    struct kd_batch batch = {.x = data->x,
                             .labels = data->labels,
                             .samples = data->samples,
                             .n = cases[c].batch,
                             .n_global = cases[c].batch,
                             .n_counted = cases[c].batch};
    double *us = KD_NEW_ARRAY(double, (size_t)n_runs);
    time_run(plan, optimizer, &hyper, &batch);
    for (int r = 0; r < n_runs; r++)
        us[r] = time_run(plan, optimizer, &hyper, &batch);
    qsort(us, (size_t)n_runs, sizeof *us, by_value);
    printf("%-52s %8.1f us   (%.1f .. %.1f)\n", cases[c].name, us[n_runs / 2], us[0],
           us[n_runs - 1]);
    free(us);
    kd_plan_free(plan);
    json_decref(model);
    json_decref(block);
    return 0;
}

int main(int argc, char **argv)
{
    static struct data data;
    struct kd_error err = {0};
    int n_runs = argc > 1 ? atoi(argv[1]) : 15;
    fill_data(&data);
    printf("one thread, median of %d runs of %d steps, CPU time a step\n", n_runs, STEPS_A_RUN);
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        if (run_case(c, &data, n_runs > 0 ? n_runs : 1, &err) != 0) {
            fprintf(stderr, "bench_step: %s\n", err.text);
            return 1;
        }
    return 0;
}
