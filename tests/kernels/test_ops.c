/* test_ops.c - every op of ops.def on every device against a float64 reference: a line in ops.def without a
 * check_<name> here does not compile. */
#include "tests/kernels/buffer.h"
#include "tests/kernels/update_checks.h"

#include <dirent.h>
#include <string.h>

static double element(const float *x, int64_t rows, int64_t columns, bool transpose, int64_t i,
                      int64_t j)
{
    return transpose ? (double)x[j * rows + i] : (double)x[i * columns + j];
}

static double dot(const struct kd_op_matmul *a, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t k = 0; k < a->k; k++)
        sum += element(a->a, a->m, a->k, a->transpose_a, i, k) *
               element(a->b, a->k, a->n, a->transpose_b, k, j);
    return sum;
}

static void check_one_matmul(struct bench *bench, struct kd_op_matmul matmul)
{
    struct buffer a = buffer_random(bench, matmul.m * matmul.k, 1);
    struct buffer b = buffer_random(bench, matmul.k * matmul.n, 1);
    struct buffer c = buffer_random(bench, matmul.m * matmul.n, 1), before = c;
    before.host = KD_NEW_ARRAY(float, (size_t)c.n + 1);
    memcpy(before.host, c.host, (size_t)c.n * sizeof(float));
    struct kd_call call = {.op = KD_OP_matmul, .args.matmul = matmul};
    call.args.matmul.a = a.device, call.args.matmul.b = b.device, call.args.matmul.c = c.device;
    run(bench, call);
    buffer_read(bench, &c);
    matmul.a = a.host, matmul.b = b.host;
    for (int64_t i = 0; i < c.n; i++)
        assert_near(c.host[i],
                    dot(&matmul, i / matmul.n, i % matmul.n) +
                        (double)matmul.beta * (double)before.host[i],
                    1e-5, "c", i);
    free(before.host);
    buffer_free(bench, &a), buffer_free(bench, &b), buffer_free(bench, &c);
}

static void check_matmul(struct bench *bench)
{
    static const int64_t shapes[][3] = {
        {0, 3, 2},    {3, 0, 2},     {3, 2, 0},    {1, 1, 1},     {5, 1, 9},    {1, 17, 3},
        {4, 4, 4},    {13, 9, 31},   {16, 16, 16}, {32, 10, 33},  {33, 65, 17}, {64, 48, 100},
        {10, 32, 32}, {32, 64, 784}, {7, 784, 5},  {70, 30, 260}, {1, 300, 64}, {129, 3, 129},
    };
    for (size_t s = 0; s < KD_COUNT(shapes); s++)
        for (int flags = 0; flags < 8; flags++)
            check_one_matmul(bench, (struct kd_op_matmul){
                                        .m = shapes[s][0],
                                        .n = shapes[s][1],
                                        .k = shapes[s][2],
                                        .transpose_a = flags & 1,
                                        .transpose_b = flags & 2,
                                        .beta = flags & 4 ? 1.0f : 0.0f,
                                    });
}

static double f(enum kd_activation activation, double x)
{
    const double values[] = {
        [KD_ACTIVATION_NONE] = x,
        [KD_ACTIVATION_RELU] = x > 0 ? x : 0,
        [KD_ACTIVATION_GELU] = 0.5 * x * erfc(-x * sqrt(0.5)),
        [KD_ACTIVATION_TANH] = tanh(x),
    };
    return values[activation];
}

static double derivative(enum kd_activation activation, double x)
{
    const double values[] = {
        [KD_ACTIVATION_NONE] = 1,
        [KD_ACTIVATION_RELU] = x > 0,
        [KD_ACTIVATION_GELU] =
            0.5 * erfc(-x * sqrt(0.5)) + x * exp(-0.5 * x * x) / sqrt(2 * acos(-1)),
        [KD_ACTIVATION_TANH] = 1 - tanh(x) * tanh(x),
    };
    return values[activation];
}

static void check_one_linear(struct bench *bench, int64_t rows, int64_t n_in, int64_t n_out,
                             enum kd_activation activation, bool with_bias)
{
    struct buffer x = buffer_random(bench, rows * n_in, 2);
    struct buffer w = buffer_random(bench, n_in * n_out, 1);
    struct buffer b = buffer_random(bench, n_out, 1);
    struct buffer y = buffer_random(bench, rows * n_out, 1);
    struct buffer pre = buffer_random(bench, rows * n_out, 1);
    bool with_pre = activation == KD_ACTIVATION_GELU;
    double tolerance = 2e-6 * sqrt((double)n_in + 1); /* the terms' roundings add up like a walk */
    run(bench,
        KD_CALL(linear, .x = x.device, .weight = w.device, .bias = with_bias ? b.device : NULL,
                .y = y.device, .pre = with_pre ? pre.device : NULL, .rows = rows, .n_in = n_in,
                .n_out = n_out, .activation = activation));
    buffer_read(bench, &y), buffer_read(bench, &pre);
    struct kd_op_matmul product = {.a = x.host, .b = w.host, .m = rows, .n = n_out, .k = n_in};
    product.transpose_b = true;
    for (int64_t i = 0; i < y.n; i++) {
        double want =
            dot(&product, i / n_out, i % n_out) + (with_bias ? (double)b.host[i % n_out] : 0.0);
        assert_near(y.host[i], f(activation, want), tolerance, "y", i);
        if (with_pre)
            assert_near(pre.host[i], want, tolerance, "pre", i);
    }
    buffer_free(bench, &x), buffer_free(bench, &w), buffer_free(bench, &b);
    buffer_free(bench, &y), buffer_free(bench, &pre);
}

static void check_linear(struct bench *bench)
{
    static const int64_t shapes[][3] = {{0, 3, 2},    {1, 1, 1},    {5, 7, 3},     {3, 0, 4},
                                        {32, 64, 10}, {17, 33, 31}, {32, 784, 64}, {8, 16, 16}};
    for (size_t s = 0; s < KD_COUNT(shapes); s++)
        for (int a = KD_ACTIVATION_NONE; a <= KD_ACTIVATION_TANH; a++)
            for (int bias = 0; bias < 2; bias++)
                check_one_linear(bench, shapes[s][0], shapes[s][1], shapes[s][2],
                                 (enum kd_activation)a, bias);
}

static void check_activation(struct bench *bench)
{
    FOR_SIZES(n)
    for (int a = KD_ACTIVATION_NONE; a <= KD_ACTIVATION_TANH; a++) {
        struct buffer x = buffer_random(bench, n, 6), y = buffer_random(bench, n, 1);
        run(bench, KD_CALL(activation, .x = x.device, .y = y.device, .n = n,
                           .activation = (enum kd_activation)a));
        run(bench, KD_CALL(activation, .x = x.device, .y = x.device, .n = n,
                           .activation = (enum kd_activation)a));
        buffer_read(bench, &y);
        for (int64_t i = 0; i < n; i++)
            assert_near(y.host[i], f((enum kd_activation)a, x.host[i]), 1e-6, "y", i);
        buffer_read(bench, &x);
        if (n)
            assert_memory_equal(x.host, y.host, (size_t)n * sizeof(float));
        buffer_free(bench, &x), buffer_free(bench, &y);
    }
}

static void check_activation_backward(struct bench *bench)
{
    FOR_SIZES(n)
    for (int a = KD_ACTIVATION_NONE; a <= KD_ACTIVATION_TANH; a++) {
        struct buffer dy = buffer_random(bench, n, 2), saved = buffer_random(bench, n, 3);
        struct buffer dx = buffer_random(bench, n, 1);
        double *want = KD_NEW_ARRAY(double, (size_t)n + 1);
        for (int64_t i = 0; i < n; i++) {
            double x = saved.host[i];
            want[i] = (double)dy.host[i] * derivative((enum kd_activation)a, x);
            if (a != KD_ACTIVATION_GELU)
                saved.host[i] = (float)f((enum kd_activation)a, x);
        }
        buffer_write(bench, &saved);
        run(bench, KD_CALL(activation_backward, .dy = dy.device, .saved = saved.device,
                           .dx = dx.device, .n = n, .activation = (enum kd_activation)a));
        run(bench, KD_CALL(activation_backward, .dy = dy.device, .saved = saved.device,
                           .dx = dy.device, .n = n, .activation = (enum kd_activation)a));
        buffer_read(bench, &dx), buffer_read(bench, &dy);
        for (int64_t i = 0; i < n; i++)
            assert_near(dx.host[i], want[i], 2e-6, "dx", i);
        if (n)
            assert_memory_equal(dx.host, dy.host, (size_t)n * sizeof(float));
        free(want);
        buffer_free(bench, &dy), buffer_free(bench, &saved), buffer_free(bench, &dx);
    }
}

static void check_column_sum(struct bench *bench)
{
    FOR_SIZES(rows)
    FOR_SIZES(columns)
    {
        struct buffer x = buffer_random(bench, rows * columns, 1);
        struct buffer sums = buffer_random(bench, columns, 1);
        run(bench, KD_CALL(column_sum, .x = x.device, .sums = sums.device, .rows = rows,
                           .columns = columns));
        buffer_read(bench, &sums);
        for (int64_t j = 0; j < columns; j++) {
            double want = 0;
            for (int64_t i = 0; i < rows; i++)
                want += (double)x.host[i * columns + j];
            assert_near(sums.host[j], want, 1e-5, "sums", j);
        }
        buffer_free(bench, &x), buffer_free(bench, &sums);
    }
}

static void check_one_dropout(struct bench *bench, int64_t size, float rate)
{
    enum { SAMPLES = 3 };
    const int64_t samples[SAMPLES] = {0, 77, INT64_C(1) << 40};
    const struct kd_turn turn = {.seed = 11, .step = 5, .n_global = SAMPLES};
    struct buffer x = buffer_random(bench, size * SAMPLES, 1);
    struct buffer y = buffer_random(bench, size * SAMPLES, 1);
    void *on_samples = to_device(bench, samples, sizeof samples);
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_rate = to_device(bench, &rate, sizeof rate);
    run(bench, KD_CALL(dropout, .x = x.device, .y = y.device, .n_samples = SAMPLES, .size = size,
                       .samples = on_samples, .rate = on_rate, .turn = on_turn, .layer = 4));
    buffer_read(bench, &y);
    for (int64_t i = 0; i < y.n; i++) {
        uint32_t words[4];
        kd_philox(kd_hash2(11, 4), (uint64_t)samples[i / size],
                  UINT64_C(5) << 32 | (uint64_t)(i % size / 4), words);
        bool kept = (double)words[i % size % 4] >= floor((double)rate * 0x1p32);
        assert_near(y.host[i], kept ? (double)x.host[i] / (1.0 - (double)rate) : 0.0, 1e-6, "y", i);
    }
    bench->device->free(on_samples), bench->device->free(on_turn), bench->device->free(on_rate);
    buffer_free(bench, &x), buffer_free(bench, &y);
}

static void check_dropout(struct bench *bench)
{
    static const float rates[] = {0.0f, 0.1f, 0.5f, 0x1.fffffep-1f};
    FOR_SIZES(n)
    for (size_t r = 0; r < KD_COUNT(rates); r++)
        check_one_dropout(bench, n, rates[r]);
}

static double log_sum_exp(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += exp((double)x[j]);
    return log(sum);
}

static void check_one_cross_entropy(struct bench *bench, int64_t n, int64_t classes, bool backward)
{
    const struct kd_turn turn = {.n_global = 40};
    struct kd_loss_sums sums = {.loss = 1, .n_correct = 2};
    struct buffer x = buffer_random(bench, n * classes, 8);
    struct buffer dx = {KD_NEW_ARRAY(float, (size_t)x.n + 1), x.device, x.n};
    int32_t labels[256];
    double loss = 1;
    int64_t n_correct = 2;
    for (int64_t i = 0; i < n; i++) {
        const float *row = x.host + i * classes;
        labels[i] = (int32_t)kd_rng_below(&bench->rng, (uint64_t)classes);
        loss += log_sum_exp(row, classes) - (double)row[labels[i]];
        bool correct = true;
        for (int64_t j = 0; j < classes; j++)
            correct &= row[j] < row[labels[i]] || j == labels[i];
        n_correct += correct;
    }
    void *on_labels = to_device(bench, labels, (size_t)n * sizeof *labels);
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_sums = to_device(bench, &sums, sizeof sums);
    run(bench,
        KD_CALL(cross_entropy, .logits = x.device, .labels = on_labels, .n_samples = n,
                .n_classes = classes, .turn = on_turn, .sums = on_sums, .backward = backward));
    buffer_read(bench, &dx);
    bench->device->copy_out(bench->queue, &sums, on_sums, sizeof sums);
    assert_near(sums.loss, loss, 1e-6, "loss", 0);
    assert_int_equal(sums.n_correct, n_correct);
    for (int64_t i = 0; i < x.n; i++) {
        const float *row = x.host + i / classes * classes;
        double p = exp((double)x.host[i] - log_sum_exp(row, classes));
        double want = (p - (i % classes == labels[i / classes])) / 40;
        assert_near(dx.host[i], backward ? want : (double)x.host[i], 1e-6, "gradient", i);
    }
    bench->device->free(on_labels), bench->device->free(on_turn), bench->device->free(on_sums);
    free(dx.host);
    buffer_free(bench, &x);
}

static void check_cross_entropy(struct bench *bench)
{
    FOR_SIZES(n)
    FOR_SIZES(classes)
    for (int backward = 0; classes > 0 && backward < 2; backward++)
        check_one_cross_entropy(bench, n, classes, backward);
}

static void check_one_mse(struct bench *bench, int64_t n, int64_t targets, bool backward)
{
    const struct kd_turn turn = {.n_global = 40};
    struct kd_loss_sums sums = {.loss = 1};
    struct buffer y = buffer_random(bench, n * targets, 2), t = buffer_random(bench, y.n, 2);
    struct buffer dy = {KD_NEW_ARRAY(float, (size_t)y.n + 1), y.device, y.n};
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_sums = to_device(bench, &sums, sizeof sums);
    run(bench,
        KD_CALL(mse, .y = y.device, .targets = t.device, .n_samples = n, .n_targets = targets,
                .turn = on_turn, .sums = on_sums, .backward = backward));
    buffer_read(bench, &dy);
    bench->device->copy_out(bench->queue, &sums, on_sums, sizeof sums);
    double loss = 1;
    for (int64_t i = 0; i < y.n; i++) {
        double error = (double)y.host[i] - (double)t.host[i];
        loss += error * error / (double)targets;
        double want = 2 * error / ((double)targets * 40);
        assert_near(dy.host[i], backward ? want : (double)y.host[i], 1e-6, "gradient", i);
    }
    assert_near(sums.loss, loss, 1e-9, "loss", 0);
    assert_int_equal(sums.n_correct, 0);
    bench->device->free(on_turn), bench->device->free(on_sums);
    free(dy.host);
    buffer_free(bench, &y), buffer_free(bench, &t);
}

static void check_mse(struct bench *bench)
{
    FOR_SIZES(n)
    FOR_SIZES(targets)
    for (int backward = 0; backward < 2; backward++)
        check_one_mse(bench, n, targets, backward);
}

static void check_fill(struct bench *bench)
{
    FOR_SIZES(n)
    {
        struct buffer x = buffer_random(bench, n, 1);
        run(bench, KD_CALL(fill, .x = x.device, .n = n, .value = 2.5f));
        buffer_read(bench, &x);
        for (int64_t i = 0; i < n; i++)
            assert_true(x.host[i] == 2.5f);
        buffer_free(bench, &x);
    }
}

static void check_init_uniform(struct bench *bench)
{
    FOR_SIZES(n)
    {
        struct buffer x = buffer_random(bench, n, 1);
        run(bench,
            KD_CALL(init_uniform, .x = x.device, .n = n, .bound = 0.5f, .seed = 9, .stream = 2));
        buffer_read(bench, &x);
        for (int64_t i = 0; i < n; i++) {
            uint32_t words[4];
            kd_philox(9, 2, (uint64_t)i / 4, words);
            assert_true(x.host[i] == (float)(0.5 * (2 * (words[i % 4] >> 8) * 0x1p-24 - 1)));
        }
        buffer_free(bench, &x);
    }
}

static void check_find_nonfinite(struct bench *bench)
{
    static const int64_t at[] = {-1, 0, 1, 100, 1023, 1024, 2999};
    const float bad[] = {NAN, INFINITY, -INFINITY};
    int64_t found = 7;
    int64_t *on_found = to_device(bench, &found, sizeof found);
    for (size_t i = 0; i < KD_COUNT(at); i++)
        for (size_t b = 0; b < KD_COUNT(bad); b++) {
            struct buffer x = buffer_random(bench, 3000, 1e38);
            if (at[i] >= 0)
                x.host[at[i]] = x.host[2999] = bad[b];
            buffer_write(bench, &x);
            run(bench, KD_CALL(find_nonfinite, .x = x.device, .n = x.n, .at = on_found));
            bench->device->copy_out(bench->queue, &found, on_found, sizeof found);
            assert_int_equal(found, at[i]);
            buffer_free(bench, &x);
        }
    run(bench, KD_CALL(find_nonfinite, .n = 0, .at = on_found));
    bench->device->copy_out(bench->queue, &found, on_found, sizeof found);
    assert_int_equal(found, -1);
    bench->device->free(on_found);
}

static void (*const checks[KD_N_OPS])(struct bench *bench) = {
#define KD_OP(name, summary) [KD_OP_##name] = check_##name,
#include "kernels/ops.def"
#undef KD_OP
};

static void on_each_device(enum kd_op op)
{
    for (int i = 0; kd_devices[i]; i++) {
        struct kd_error err = {0};
        struct bench bench = {.device = kd_devices[i], .rng = kd_rng_at(42, op)};
        assert_int_equal(bench.device->open(&bench.queue, &err), 0);
        checks[op](&bench);
        bench.device->close(bench.queue);
    }
}

#define KD_OP(name, summary)                                                                       \
    static void name##_agrees_with_float64(void **state)                                           \
    {                                                                                              \
        (void)state;                                                                               \
        on_each_device(KD_OP_##name);                                                              \
    }
#include "kernels/ops.def"
#undef KD_OP

static void a_row_with_a_nan_has_a_nan_loss_and_is_not_correct(void **state)
{
    (void)state;
    struct kd_error err = {0};
    struct bench bench = {.device = kd_device_find("cpu", &err)};
    float logits[] = {1, NAN, 0};
    const int32_t label = 0;
    struct kd_loss_sums sums = {0};
    const struct kd_turn turn = {.n_global = 1};
    run(&bench, KD_CALL(cross_entropy, .logits = logits, .labels = &label, .n_samples = 1,
                        .n_classes = 3, .turn = &turn, .sums = &sums, .backward = true));
    assert_true(isnan(sums.loss));
    assert_int_equal(sums.n_correct, 0);
    assert_true(isnan(logits[1]));
}

/* On subnormal numbers an update would take ten times as long. */
static void a_forgotten_momentum_ends_at_zero(void **state)
{
    (void)state;
    struct kd_error err = {0};
    struct bench bench = {.device = kd_device_find("cpu", &err)};
    assert_int_equal(bench.device->open(&bench.queue, &err), 0);
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
    struct kd_error err = {0};
    struct bench bench = {.device = kd_device_find("cpu", &err), .rng = kd_rng_at(1, 1)};
    assert_int_equal(bench.device->open(&bench.queue, &err), 0);
    check_one_matmul(&bench, (struct kd_op_matmul){.m = 128, .n = 128, .k = 128});
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        skip();
    int n_threads = 0;
    for (struct dirent *task; (task = readdir(tasks));)
        n_threads += task->d_name[0] != '.';
    closedir(tasks);
    assert_int_equal(n_threads, 1);
}

static void an_unknown_device_is_named_with_those_there_are(void **state)
{
    (void)state;
    struct kd_error err = {0};
    assert_null(kd_device_find("gpu", &err));
    assert_string_equal(err.text, "unknown device \"gpu\"; this build has: cpu");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define KD_OP(name, summary) cmocka_unit_test(name##_agrees_with_float64),
#include "kernels/ops.def"
#undef KD_OP
        cmocka_unit_test(a_row_with_a_nan_has_a_nan_loss_and_is_not_correct),
        cmocka_unit_test(a_forgotten_momentum_ends_at_zero),
        cmocka_unit_test(a_product_starts_no_threads),
        cmocka_unit_test(an_unknown_device_is_named_with_those_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
