/* bench_step.c - time of one training step (forward, backward, optimizer) of MLPs, a CNN, a ResNet and a GPT on one thread.
 *
 *     bench_step [runs]      prints a table: the median, least and greatest over the runs
 *
 * tests/bench/bench_train.py compares whole steps with PyTorch. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "trainer/models/plan.h"
#include "trainer/models/plan_update.h"
#include "trainer/optim/optimizer.h"

enum {
    FEATURES = 784,
    PIXELS = 64,
    CLASSES = 10,
    BATCH_MAX = 256,
    LENGTH = 64,
    VOCABULARY = 65,
    IMAGE = 32
};

enum input { TAKES_FEATURES, TAKES_PIXELS, TAKES_IMAGES, TAKES_TOKENS };

static const struct {
    const char *name, *model, *optimizer;
    int64_t batch;
    int steps; /* in a run */
    enum input input;
} cases[] = {
    {"64-200-200-10, batch 16, dropout 0.2, adamw",
     "[{\"repeat\":{\"times\":2,\"layers\":[{\"linear\":{\"units\":200}},\"relu\","
     "{\"dropout\":{\"p\":0.2}}]}},{\"linear\":{\"units\":10}}]",
     "{\"name\":\"adamw\"}", 16, 200, TAKES_PIXELS},
    {"784-64-32-10, batch 32, sgd momentum",
     "[{\"linear\":{\"units\":64}},\"relu\",{\"linear\":{\"units\":32}},\"relu\","
     "{\"linear\":{\"units\":10}}]",
     "{\"name\":\"sgd\",\"lr\":0.01,\"momentum\":0.9}", 32, 200, TAKES_FEATURES},
    {"784-64-32-10, batch 32, adamw",
     "[{\"linear\":{\"units\":64}},\"relu\",{\"linear\":{\"units\":32}},\"relu\","
     "{\"linear\":{\"units\":10}}]",
     "{\"name\":\"adamw\"}", 32, 200, TAKES_FEATURES},
    {"784-64-32-10, batch 32, gelu, dropout 0.1, adamw",
     "[{\"linear\":{\"units\":64}},\"gelu\",{\"dropout\":{\"p\":0.1}},{\"linear\":{\"units\":32}},"
     "\"gelu\",{\"dropout\":{\"p\":0.1}},{\"linear\":{\"units\":10}}]",
     "{\"name\":\"adamw\"}", 32, 200, TAKES_FEATURES},
    {"784-256-128-10, batch 64, sgd momentum",
     "[{\"linear\":{\"units\":256}},\"relu\",{\"linear\":{\"units\":128}},\"relu\","
     "{\"linear\":{\"units\":10}}]",
     "{\"name\":\"sgd\",\"lr\":0.01,\"momentum\":0.9}", 64, 200, TAKES_FEATURES},
    {"784-1024-1024-10, batch 256, sgd momentum",
     "[{\"linear\":{\"units\":1024}},\"relu\",{\"linear\":{\"units\":1024}},\"relu\","
     "{\"linear\":{\"units\":10}}]",
     "{\"name\":\"sgd\",\"lr\":0.01,\"momentum\":0.9}", 256, 10, TAKES_FEATURES},
    {"cnn 32-64 with batchnorm, 32x32x3, batch 64, sgd",
     "[{\"conv2d\":{\"channels\":32,\"bias\":false}},\"batchnorm\",\"relu\",\"maxPool\","
     "{\"conv2d\":{\"channels\":64,\"bias\":false}},\"batchnorm\",\"relu\",\"maxPool\","
     "\"flatten\",{\"linear\":{\"units\":10}}]",
     "{\"name\":\"sgd\",\"lr\":0.01,\"momentum\":0.9}", 64, 10, TAKES_IMAGES},
    {"resnet-20, 32x32x3, batch 64, sgd momentum", "{\"resnet\":{\"depth\":20}}",
     "{\"name\":\"sgd\",\"lr\":0.01,\"momentum\":0.9}", 64, 2, TAKES_IMAGES},
    {"gpt L4 C128 T64, batch 12, adamw",
     "{\"gpt\":{\"layers\":4,\"heads\":4,\"width\":128,\"tied\":false}}", "{\"name\":\"adamw\"}",
     12, 10, TAKES_TOKENS},
};

struct data {
    float x[BATCH_MAX * FEATURES]; /* 64 images take less */
    int32_t labels[BATCH_MAX];
    int32_t tokens[BATCH_MAX * LENGTH], next[BATCH_MAX * LENGTH];
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
    for (int i = 0; i < BATCH_MAX * LENGTH; i++) {
        data->tokens[i] = (int32_t)kd_rng_below(&rng, VOCABULARY);
        data->next[i] = (int32_t)kd_rng_below(&rng, VOCABULARY);
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

static double time_run(struct kd_plan *plan, struct kd_hyper *hyper, struct kd_batch *batch,
                       int n_steps)
{
    double start = thread_us();
    for (int i = 0; i < n_steps; i++) {
        struct kd_batch_result result;
        batch->step++;
        hyper->step++;
        kd_plan_backward(plan, batch, &result);
        kd_plan_update(plan, hyper, false);
    }
    return (thread_us() - start) / n_steps;
}

static struct kd_input input_of(size_t c)
{
    if (cases[c].input == TAKES_IMAGES)
        return (struct kd_input){.shape = {{IMAGE, IMAGE, 3}, .n_dims = 3}, .n_outputs = CLASSES};
    if (cases[c].input == TAKES_TOKENS)
        return (struct kd_input){.shape = {{LENGTH}, .n_dims = 1},
                                 .tokens = true,
                                 .vocabulary = VOCABULARY,
                                 .n_outputs = VOCABULARY,
                                 .positions = LENGTH};
    int64_t n_features = cases[c].input == TAKES_PIXELS ? PIXELS : FEATURES;
    return (struct kd_input){.shape = {{n_features}, .n_dims = 1}, .n_outputs = CLASSES};
}

static struct kd_batch batch_of(size_t c, const struct data *data)
{
    bool tokens = cases[c].input == TAKES_TOKENS;
    return (struct kd_batch){
        .x = tokens ? NULL : data->x,
        .tokens = tokens ? data->tokens : NULL,
        .labels = tokens ? data->next : data->labels,
        .samples = data->samples,
        .n = cases[c].batch,
        .n_global = cases[c].batch,
        .n_counted = cases[c].batch * (tokens ? LENGTH : 1),
    };
}

static int run_case(size_t c, const struct data *data, int n_runs, struct kd_error *err)
{
    json_t *model = json_loads(cases[c].model, 0, NULL);
    json_t *block = json_loads(cases[c].optimizer, 0, NULL);
    const struct kd_optimizer *optimizer;
    struct kd_hyper hyper;
    struct kd_plan *plan =
        kd_plan_new(&(struct kd_plan_options){.model = model,
                                              .input = input_of(c),
                                              .max_batch = cases[c].batch,
                                              .device = kd_device_find("cpu", NULL)},
                    err);
    if (!plan || kd_optimizer_read(block, &optimizer, &hyper, err) != 0)
        return -1;
    kd_plan_prepare_update(plan, &(struct kd_update_options){.optimizer = optimizer});
    kd_plan_reset(plan, 1);
    struct kd_batch batch = batch_of(c, data);
    double *us = KD_NEW_ARRAY(double, (size_t)n_runs);
    time_run(plan, &hyper, &batch, cases[c].steps);
    for (int r = 0; r < n_runs; r++)
        us[r] = time_run(plan, &hyper, &batch, cases[c].steps);
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
    printf("one thread, median of %d runs, CPU time a step\n", n_runs);
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        if (run_case(c, &data, n_runs > 0 ? n_runs : 1, &err) != 0) {
            fprintf(stderr, "bench_step: %s\n", err.text);
            return 1;
        }
    return 0;
}
