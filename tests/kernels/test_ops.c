/* test_ops.c - every op of ops.def on every device against a float64 reference (checks.h). */
#include "tests/kernels/checks.h"

#include <dirent.h>
#include <stdio.h>

/* In every precision that stores values in another way. */
static void on_each_storage(check_fn *check, uint64_t stream)
{
    static const enum kd_precision storages[] = {KD_PRECISION_FP32, KD_PRECISION_BF16,
                                                 KD_PRECISION_FP16};
    for (int i = 0; kd_devices[i]; i++)
        for (size_t s = 0; s < KD_COUNT(storages); s++)
            on_device(kd_devices[i], storages[s], check, stream);
}

#define KD_OP(name, summary)                                                                       \
    static void name##_agrees_with_float64(void **state)                                           \
    {                                                                                              \
        (void)state;                                                                               \
        on_each_storage(checks[KD_OP_##name], KD_OP_##name);                                       \
    }
#include "kernels/ops.def"
#undef KD_OP

/* A loss with its gradient over rows of three classes, on memory of the device. */
static struct kd_loss_sums loss_of(struct bench *bench, float *logits, const int32_t *labels,
                                   int64_t rows)
{
    const struct kd_turn turn = {.n_counted = rows};
    struct kd_loss_sums sums = {0};
    size_t bytes = (size_t)rows * 3 * sizeof *logits;
    float *on_logits = to_device(bench, logits, bytes);
    void *on_labels = to_device(bench, labels, (size_t)rows * sizeof *labels);
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_sums = to_device(bench, &sums, sizeof sums);
    run(bench, KD_CALL(cross_entropy, .logits = on_logits, .labels = on_labels, .rows = rows,
                       .n_classes = 3, .turn = on_turn, .sums = on_sums, .backward = true));
    bench_read(bench, logits, on_logits, bytes);
    bench_read(bench, &sums, on_sums, sizeof sums);
    bench->device->free(on_logits), bench->device->free(on_labels);
    bench->device->free(on_turn), bench->device->free(on_sums);
    return sums;
}

static void check_nan_logit(struct bench *bench)
{
    float logits[] = {1, NAN, 0};
    const int32_t label = 0;
    struct kd_loss_sums sums = loss_of(bench, logits, &label, 1);
    assert_true(isnan(sums.loss));
    assert_int_equal(sums.n_correct, 0);
    assert_true(isnan(logits[1]));
}

static void a_row_with_a_nan_has_a_nan_loss_and_is_not_correct(void **state)
{
    (void)state;
    on_each_device(check_nan_logit, 0);
}

static void check_nan_through_relu(struct bench *bench)
{
    const float x[] = {NAN, 1}, weight[] = {1, -1};
    float y[4];
    float *on_x = to_device(bench, x, sizeof x), *on_y = to_device(bench, y, sizeof y);
    float *on_weight = to_device(bench, weight, sizeof weight);
    run(bench, KD_CALL(linear, .x = on_x, .weight = on_weight, .y = on_y, .rows = 2, .n_in = 1,
                       .n_out = 2, .activation = KD_ACTIVATION_RELU));
    bench_read(bench, y, on_y, sizeof y);
    assert_true(isnan(y[0]) && isnan(y[1]) && y[2] == 1 && y[3] == 0);
    bench->device->free(on_x), bench->device->free(on_weight), bench->device->free(on_y);
}

/* Else a sample with a NaN would be one of zeros, without a word. */
static void linear_with_relu_keeps_a_nan(void **state)
{
    (void)state;
    on_each_device(check_nan_through_relu, 0);
}

static void check_far_logits(struct bench *bench)
{
    float logits[] = {-1e30f, 1e30f, -INFINITY, -1e30f, 1e30f, -INFINITY};
    const int32_t labels[] = {1, 0};
    struct kd_loss_sums sums = loss_of(bench, logits, labels, 2);
    assert_true(fabs(sums.loss - 2 * (double)1e30f) < 1e24);
    assert_int_equal(sums.n_correct, 1);
    assert_int_equal(sums.n_top5, 2);
    assert_true(logits[0] < 1e-30f && logits[1] == 0 && logits[3] == -0.5f && logits[4] == 0.5f);
}

/* With all its weight on one class a row's loss is 0, and without any it is what the float
 * allows. */
static void logits_far_apart_give_losses_that_are_numbers(void **state)
{
    (void)state;
    on_each_device(check_far_logits, 0);
}

static void check_infinite_gradient(struct bench *bench)
{
    float p[3] = {0};
    const float g[3] = {INFINITY, 0, -2}, m[3] = {0};
    float *on_p = to_device(bench, p, sizeof p), *on_g = to_device(bench, g, sizeof g);
    float *on_m = to_device(bench, m, sizeof m);
    struct kd_hyper *on_hyper = to_device(bench, &hyper, sizeof hyper);
    run(bench, KD_CALL(lion, .parameters = on_p, .gradients = on_g, .state = {on_m},
                       .ranges = &(struct kd_range){.n = 3}, .n_ranges = 1, .hyper = on_hyper));
    bench_read(bench, p, on_p, sizeof p);
    assert_true(isnan(p[0]) && p[1] == 0 && p[2] == hyper.lr);
    bench->device->free(on_p), bench->device->free(on_g);
    bench->device->free(on_m), bench->device->free(on_hyper);
}

static void an_infinite_gradient_does_not_hide_in_its_sign(void **state)
{
    (void)state;
    on_each_device(check_infinite_gradient, 0);
}

/* ---- the CPU device alone, where the program has it */

static struct bench cpu_bench(void)
{
    struct kd_error err = {0};
    struct bench bench = {.device = kd_device_find("cpu", &err), .rng = kd_rng_at(1, 1)};
    if (!bench.device)
        skip();
    assert_int_equal(bench.device->open(0, &bench.queue, &err), 0);
    return bench;
}

/* On subnormal numbers an update would take ten times as long. */
static void a_forgotten_momentum_ends_at_zero(void **state)
{
    (void)state;
    struct bench bench = cpu_bench();
    float p[40] = {0}, g[40] = {0}, v[40];
    for (int i = 0; i < 40; i++)
        v[i] = 1.2e-38f; /* the least normal float is 1.18e-38 */
    run(&bench, KD_CALL(sgd, .parameters = p, .gradients = g, .state = {v},
                        .ranges = &(struct kd_range){.n = 40}, .n_ranges = 1, .hyper = &hyper));
    for (int i = 0; i < 40; i++)
        assert_true(fpclassify(v[i]) == FP_ZERO);
}

/* Ranks fill the machine; a pool of threads under each would fight over it. */
static void a_product_starts_no_threads(void **state)
{
    (void)state;
    struct bench bench = cpu_bench();
    check_one_matmul(&bench, (struct kd_op_matmul){.m = 128, .n = 128, .k = 128});
    check_one_conv2d(&bench, &(struct window_case){{8, 16, 16, 32, 3, 1, 1}, 32}, true);
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        skip();
    int n_threads = 0;
    for (struct dirent *task; (task = readdir(tasks));)
        n_threads += task->d_name[0] != '.';
    closedir(tasks);
    assert_int_equal(n_threads, 1);
}

/* The CPU keeps what was generated for 256 shapes. */
static void more_shapes_of_convolutions_than_are_kept_are_right(void **state)
{
    (void)state;
    struct bench bench = cpu_bench();
    for (int i = 0; i < 600; i++)
        check_one_conv2d(&bench, &(struct window_case){{1, 2, 1 + i % 300, 1, 1, 1, 0}, 2}, false);
    for (int i = 0; i < 600; i++)
        check_one_conv2d(&bench, &(struct window_case){{1, 2, 1 + i % 7, 1, 1, 1, 0}, 2}, i % 2);
    bench.device->close(bench.queue);
}

static void an_unknown_device_is_named_with_those_there_are(void **state)
{
    (void)state;
    cpu_bench();
    struct kd_error err = {0};
    assert_null(kd_device_find("gpu", &err));
    assert_string_equal(err.text, "unknown device \"gpu\"; there are: cpu, cuda");
}

/* ctest runs this with KATYDID_CPU_ISA too, and for GPUs: 77 is "skipped", on a machine that lacks
 * what it asks for. */
static bool a_device_is_missing(void)
{
    for (int i = 0; kd_devices[i]; i++) {
        struct kd_error err = {0};
        struct kd_queue *queue;
        if (kd_devices[i]->open(0, &queue, &err) < 0) {
            puts(err.text);
            return true;
        }
        kd_devices[i]->close(queue);
    }
    return false;
}

/* test_ops 'matmul*' runs what that fits. */
int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    if (a_device_is_missing())
        return 77;
    const struct CMUnitTest tests[] = {
#define KD_OP(name, summary) cmocka_unit_test(name##_agrees_with_float64),
#include "kernels/ops.def"
#undef KD_OP
        cmocka_unit_test(a_row_with_a_nan_has_a_nan_loss_and_is_not_correct),
        cmocka_unit_test(linear_with_relu_keeps_a_nan),
        cmocka_unit_test(logits_far_apart_give_losses_that_are_numbers),
        cmocka_unit_test(an_infinite_gradient_does_not_hide_in_its_sign),
        cmocka_unit_test(a_forgotten_momentum_ends_at_zero),
        cmocka_unit_test(a_product_starts_no_threads),
        cmocka_unit_test(more_shapes_of_convolutions_than_are_kept_are_right),
        cmocka_unit_test(an_unknown_device_is_named_with_those_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
