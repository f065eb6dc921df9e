/* step.c - katydid-bench step: training steps of whole models, from a batch in the device's memory
 * to new parameters.
 *
 * tests/bench/bench_train.py and bench_gpu.py compare the trainer's steps, batches gathered
 * included, with PyTorch's. */
#include <jansson.h>
#include <stdio.h>

#include "tests/bench/rates/bench_device.h"
#include "tests/bench/rates/desk.h"
#include "tests/bench/rates/options.h"
#include "tests/bench/rates/rates.h"
#include "tests/bench/rates/step_cases.h"
#include "tests/bench/rates/stopwatch.h"
#include "trainer/models/plan.h"
#include "trainer/models/plan_update.h"
#include "trainer/optim/optimizer.h"

static const char usage[] =
    "usage: katydid-bench step [options] [PATTERN]\n"
    "\n"
    "Training steps of whole models: forward and backward pass and optimizer, on one batch in the "
    "device's\n"
    "memory; the share of the peak is of a large product's rate. PATTERN chooses models.\n"
    "\n"
    "  --device NAME   cpu (the default, one thread) or cuda\n"
    "  --precision P   fp32 (the default), tf32, bf16 or fp16\n"
    "  --runs N        runs of 0.1 s or more each; the median counts (default 9)\n"
    "  --quick         two steps of each: does it run at all?\n"
    "  --list          the models\n"
    "  --json          the same as JSON, one a line, with what they are made of and their "
    "parameters\n"
    "\n"
    "On the CPU the time is the thread's own, and the largest models are left out unless PATTERN "
    "names them.\n";

static const double RUN_US = 1e5, BUDGET_US = 8e6;

/* A model that is ready to train. */
struct trained {
    struct kd_plan *plan;
    struct kd_hyper hyper;
    struct kd_batch batch;
    struct desk desk; /* the batch's memory */
};

static struct kd_batch batch_of(const struct step_case *c, struct desk *desk)
{
    int64_t n_values = c->shape[0] * (c->shape[1] ? c->shape[1] * c->shape[2] : 1);
    int64_t n_labels = c->batch * (c->vocabulary ? c->shape[0] : 1);
    int64_t n_outputs = step_case_input(c).n_outputs;
    return (struct kd_batch){
        .x = c->vocabulary ? NULL : desk_values_in(desk, c->batch * n_values),
        .tokens = c->vocabulary ? desk_in_int32(desk, n_labels, c->vocabulary) : NULL,
        .labels = desk_in_int32(desk, n_labels, n_outputs),
        .samples = desk_in_samples(desk, c->batch),
        .n = c->batch,
        .n_global = c->batch,
        .n_counted = n_labels,
    };
}

static int read_optimizer(const char *text, const struct kd_optimizer **optimizer,
                          struct kd_hyper *hyper, struct kd_error *err)
{
    json_t *block = json_loads(text, 0, NULL);
    int status = kd_optimizer_read(block, optimizer, hyper, err);
    json_decref(block);
    return status;
}

static int prepare(struct trained *trained, const struct step_case *c,
                   const struct bench_device *bench, struct kd_error *err)
{
    const struct kd_optimizer *optimizer;
    json_t *model = json_loads(c->model, 0, NULL);
    *trained = (struct trained){
        .desk = {.device = bench->device, .queue = bench->queue, .precision = bench->precision}};
    trained->plan = kd_plan_new(&(struct kd_plan_options){.model = model,
                                                          .input = step_case_input(c),
                                                          .max_batch = c->batch,
                                                          .device = bench->device,
                                                          .precision = bench->precision},
                                err);
    json_decref(model);
    if (!trained->plan || read_optimizer(c->optimizer, &optimizer, &trained->hyper, err) < 0)
        return -1;
    kd_plan_prepare_update(trained->plan, &(struct kd_update_options){.optimizer = optimizer});
    kd_plan_reset(trained->plan, 1);
    trained->batch = batch_of(c, &trained->desk);
    bench->device->wait(bench->queue);
    return 0;
}

static void release(struct trained *trained)
{
    if (trained->plan)
        kd_plan_free(trained->plan);
    if (trained->desk.device)
        desk_release(&trained->desk);
}

/* Microseconds of a step, mean over n. */
static double time_steps(struct trained *trained, const struct bench_device *bench, int n)
{
    struct kd_queue *queue = kd_plan_queue(trained->plan);
    double start = stopwatch_us(bench->device, queue);
    for (int i = 0; i < n; i++) {
        struct kd_batch_result result;
        trained->batch.step++;
        trained->hyper.step++;
        kd_plan_backward(trained->plan, &trained->batch, &result);
        kd_plan_update(trained->plan, &trained->hyper, false);
    }
    return (stopwatch_us(bench->device, queue) - start) / n;
}

/* Two steps make what is kept (a GPU's graphs), a third says how many fill a run. */
static double median_step_us(struct trained *trained, const struct bench_device *bench,
                             const struct rates_options *options)
{
    time_steps(trained, bench, 2);
    double once = time_steps(trained, bench, 1), spent = 0;
    if (options->is_quick)
        return once;
    int n_steps = once < RUN_US ? (int)(RUN_US / once) + 1 : 1, n = 0;
    double *us = KD_NEW_ARRAY(double, (size_t)options->runs);
    while (n < options->runs && spent < BUDGET_US) {
        us[n] = time_steps(trained, bench, n_steps);
        spent += us[n++] * n_steps;
    }
    double median = stopwatch_median(us, n);
    free(us);
    return median;
}

static void run_case(const struct step_case *c, const struct bench_device *bench,
                     const struct rates_options *options)
{
    struct trained trained;
    struct kd_error err;
    printf("%-11s %-40s %6lld ", c->name, c->summary, (long long)c->batch);
    fflush(stdout);
    if (prepare(&trained, c, bench, &err) == 0) {
        double us = median_step_us(&trained, bench, options);
        double rate = kd_plan_flops(trained.plan, c->batch) / us * 1e6;
        printf("%11lld %11.1f %10.1f %10.1f %6.1f%%\n",
               (long long)kd_plan_n_parameters(trained.plan), us, 1e6 / us, rate * 1e-9,
               100 * rate / bench->peak_flops);
    } else {
        printf("skipped: %s\n", err.text);
    }
    release(&trained);
}

static bool is_chosen(const struct rates_options *options, const struct step_case *c, bool is_host)
{
    bool is_left_out = c->is_large && is_host && options->pattern[0] == '*';
    return rates_options_match(options, c->name, c->name) && !is_left_out;
}

static int run(const struct rates_options *options, struct kd_error *err)
{
    struct bench_device bench;
    if (bench_device_open(&bench, options->device, 0, options->precision, err) < 0) {
        bench_device_close(&bench);
        return -1;
    }
    bench_device_measure(&bench, options->is_quick);
    bench_device_print(&bench);
    printf("%-11s %-40s %6s %11s %11s %10s %10s %s\n", "model", "", "batch", "parameters", "us",
           "steps/s", "GFLOP/s", "of peak");
    for (int c = 0; c < n_step_cases; c++)
        if (is_chosen(options, &step_cases[c], bench.device->is_host))
            run_case(&step_cases[c], &bench, options);
    bench_device_close(&bench);
    return 0;
}

/* ---- the models, for people and for other benchmarks */

/* For one sample, which is enough to count. */
static int64_t n_parameters(const struct step_case *c, const json_t *model)
{
    struct kd_error err;
    struct kd_plan *plan =
        kd_plan_new(&(struct kd_plan_options){.model = model,
                                              .input = step_case_input(c),
                                              .max_batch = 1,
                                              .device = kd_device_find("cpu", NULL)},
                    &err);
    if (!plan)
        kd_bug("%s: %s", c->name, err.text);
    int64_t n = kd_plan_n_parameters(plan);
    kd_plan_free(plan);
    return n;
}

static json_t *shape_of(const struct step_case *c)
{
    json_t *shape = json_array();
    for (int i = 0; i < 3 && c->shape[i] > 0; i++)
        json_array_append_new(shape, json_integer(c->shape[i]));
    return shape;
}

static void print_json(const struct step_case *c)
{
    json_t *model = json_loads(c->model, 0, NULL);
    json_int_t parameters = n_parameters(c, model);
    json_t *line = json_pack("{s:s,s:I,s:I,s:o,s:I,s:o,s:o}", "name", c->name, "parameters",
                             parameters, "batch", (json_int_t)c->batch, "shape", shape_of(c),
                             "vocabulary", (json_int_t)c->vocabulary, "model", model, "optimizer",
                             json_loads(c->optimizer, 0, NULL));
    json_dumpf(line, stdout, JSON_COMPACT);
    printf("\n");
    json_decref(line);
}

static void list(const struct rates_options *options)
{
    for (int i = 0; i < n_step_cases; i++) {
        const struct step_case *c = &step_cases[i];
        if (!rates_options_match(options, c->name, c->name))
            continue;
        if (options->is_json)
            print_json(c);
        else
            printf("%-11s %s, batch %lld\n", c->name, c->summary, (long long)c->batch);
    }
}

int bench_step(int argc, char **argv)
{
    struct rates_options options = {.device = "cpu", .runs = 9};
    struct kd_error err;
    int status = rates_options_read(&options, argc, argv, usage);
    if (status >= 0)
        return status;
    if (options.is_list || options.is_json) {
        list(&options);
        return 0;
    }
    if (run(&options, &err) == 0)
        return 0;
    fprintf(stderr, "katydid-bench step: %s\n", err.text);
    return 1;
}
