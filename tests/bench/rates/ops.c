/* ops.c - katydid-bench ops: the rate of each op beside the device's ceilings. */
#include <stdio.h>

#include "kernels/flops.h"
#include "tests/bench/rates/bench_device.h"
#include "tests/bench/rates/op_cases.h"
#include "tests/bench/rates/options.h"
#include "tests/bench/rates/rates.h"
#include "tests/bench/rates/stopwatch.h"

static const char usage[] =
    "usage: katydid-bench ops [options] [PATTERN]\n"
    "\n"
    "The time of every op on the shapes of small and large models, beside what the device reaches "
    "at best.\n"
    "PATTERN chooses ops or models by a part of their name (layernorm, resnet) or, with * ? [, by "
    "all "
    "of it.\n"
    "\n"
    "  --device NAME   cpu (the default) or cuda\n"
    "  --precision P   fp32 (the default), tf32, bf16 or fp16: what values are stored as and "
    "products computed in\n"
    "  --runs N        at most so many runs of each; the median counts (default 15)\n"
    "  --quick         the first shape of each op, once: does it run at all?\n"
    "  --list          the ops, their shapes and what these move, without running them\n"
    "\n"
    "An op's ceiling is the longer of two times: its bytes (what it must read and write, once) at "
    "the rate\n"
    "of a large copy, and its products' operations at the rate of a large product, both in this "
    "precision. Shapes that fit a cache\n"
    "can be faster than a copy does; very small ones show what a launch costs.\n";

/* The first time after which no more runs of a case begin, and what a run is meant to last. */
static const double BUDGET_US = 1e6, RUN_US = 2e3;

struct measured {
    struct desk desk; /* counted */
    double flops, us;
};

static bool is_first_of_op(const struct op_case *c)
{
    return c == op_cases || c[-1].op != c->op;
}

static bool is_chosen(const struct rates_options *options, const struct op_case *c)
{
    return rates_options_match(options, kd_op_names[c->op], c->model) &&
           (!options->is_quick || is_first_of_op(c));
}

static void count(const struct op_case *c, enum kd_precision precision, struct measured *measured)
{
    *measured = (struct measured){.desk = {.precision = precision}};
    struct kd_call call = c->make(&measured->desk, c->dims);
    measured->flops = kd_call_flops(&call);
}

static double time_case(const struct op_case *c, const struct bench_device *bench,
                        const struct rates_options *options)
{
    struct desk desk = {
        .device = bench->device, .queue = bench->queue, .precision = bench->precision};
    struct kd_call call = c->make(&desk, c->dims);
    bool is_quick = options->is_quick;
    double us = stopwatch_median_us(&(struct stopwatch_job){.device = bench->device,
                                                            .queue = bench->queue,
                                                            .calls = &call,
                                                            .n_calls = 1,
                                                            .runs = is_quick ? 1 : options->runs,
                                                            .run_us = is_quick ? 0 : RUN_US,
                                                            .budget_us = BUDGET_US});
    desk_release(&desk);
    return us;
}

static bool has_room(const struct bench_device *bench, int64_t bytes)
{
    size_t free_bytes, total;
    bench->device->memory(&free_bytes, &total);
    return (size_t)bytes < free_bytes / 4 * 3;
}

static void print_case(const struct op_case *c, enum kd_precision precision)
{
    struct measured m;
    count(c, precision, &m);
    printf("%-24s %-7s %-28s %10.3f MB %12.3f MFLOP\n", kd_op_names[c->op], c->model, m.desk.shape,
           (double)m.desk.moved * 1e-6, m.flops * 1e-6);
    desk_release(&m.desk);
}

static void print_rate(const struct bench_device *bench, const struct measured *m)
{
    double bytes_us = (double)m->desk.moved / bench->copy_rate * 1e6;
    double flops_us = m->flops / bench->peak_flops * 1e6;
    if (flops_us > bytes_us)
        printf("%10.1f %10.2f GFLOP/s %6.1f%%\n", m->us, m->flops / m->us * 1e-3,
               100 * flops_us / m->us);
    else
        printf("%10.1f %10.2f GB/s    %6.1f%%\n", m->us, (double)m->desk.moved / m->us * 1e-3,
               100 * bytes_us / m->us);
}

static void run_case(const struct op_case *c, const struct bench_device *bench,
                     const struct rates_options *options)
{
    struct measured m;
    count(c, options->precision, &m);
    printf("%-24s %-7s %-28s ", kd_op_names[c->op], c->model, m.desk.shape);
    fflush(stdout);
    if (has_room(bench, m.desk.held)) {
        m.us = time_case(c, bench, options);
        print_rate(bench, &m);
    } else {
        printf("skipped: it takes %.0f MB\n", (double)m.desk.held * 1e-6);
    }
    desk_release(&m.desk);
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
    printf("%-24s %-7s %-28s %10s %10s         %s\n", "op", "model", "shape", "us", "rate",
           "of ceiling");
    for (int c = 0; c < n_op_cases; c++)
        if (is_chosen(options, &op_cases[c]))
            run_case(&op_cases[c], &bench, options);
    bench_device_close(&bench);
    return 0;
}

static void list(const struct rates_options *options)
{
    for (int c = 0; c < n_op_cases; c++)
        if (is_chosen(options, &op_cases[c]))
            print_case(&op_cases[c], options->precision);
}

int bench_ops(int argc, char **argv)
{
    struct rates_options options = {.device = "cpu", .runs = 15};
    struct kd_error err;
    int status = rates_options_read(&options, argc, argv, usage);
    if (status >= 0)
        return status;
    const char *missing = op_cases_missing();
    if (missing) {
        fprintf(stderr, "katydid-bench ops: %s of ops.def has no case in op_cases.c\n", missing);
        return 1;
    }
    if (options.is_list) {
        list(&options);
        return 0;
    }
    if (run(&options, &err) == 0)
        return 0;
    fprintf(stderr, "katydid-bench ops: %s\n", err.text);
    return 1;
}
