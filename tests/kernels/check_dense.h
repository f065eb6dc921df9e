/* check_dense.h - every op of kernels/op_dense.h against a float64 reference. */
#ifndef KD_TESTS_CHECK_DENSE_H
#define KD_TESTS_CHECK_DENSE_H

#include <string.h>

#include "tests/kernels/buffer.h"

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
    struct buffer a = values_random(bench, matmul.m * matmul.k, 1);
    struct buffer b = values_random(bench, matmul.k * matmul.n, 1);
    enum kd_precision stored = matmul.to_floats ? KD_PRECISION_FP32 : bench->precision;
    struct buffer c = buffer_stored(bench, stored, matmul.m * matmul.n, 1);
    struct buffer before = buffer_copy(&c);
    struct kd_call call = {.op = KD_OP_matmul, .args.matmul = matmul};
    call.args.matmul.a = a.device, call.args.matmul.b = b.device, call.args.matmul.c = c.device;
    run(bench, call);
    buffer_read(bench, &c);
    matmul.a = a.host, matmul.b = b.host;
    for (int64_t i = 0; i < c.n; i++)
        assert_value(&c, i,
                     dot(&matmul, i / matmul.n, i % matmul.n) +
                         (double)matmul.beta * (double)before.host[i],
                     1e-5, "c");
    free(before.host);
    buffer_free(bench, &a), buffer_free(bench, &b), buffer_free(bench, &c);
}

/* All transpose combinations, with beta 0 and 1, to values and to floats. */
static void check_matmuls(struct bench *bench, int64_t m, int64_t n, int64_t k)
{
    int n_flags = kd_precision_bytes(bench->precision) == sizeof(float) ? 8 : 16;
    for (int flags = 0; flags < n_flags; flags++)
        check_one_matmul(bench, (struct kd_op_matmul){
                                    .m = m,
                                    .n = n,
                                    .k = k,
                                    .transpose_a = flags & 1,
                                    .transpose_b = flags & 2,
                                    .to_floats = flags & 8,
                                    .beta = flags & 4 ? 1.0f : 0.0f,
                                });
}

/* The last shapes are on both sides of what the CPU device takes for small. Then every number of
 * rows and columns that can be left over beside whole tiles, and sums of one block and a bit. */
static void check_matmul(struct bench *bench)
{
    static const int64_t shapes[][3] = {
        {0, 3, 2},      {3, 0, 2},      {3, 2, 0},     {1, 1, 1},       {5, 1, 9},
        {1, 17, 3},     {4, 4, 4},      {13, 9, 31},   {16, 16, 16},    {32, 10, 33},
        {33, 65, 17},   {64, 48, 100},  {10, 32, 32},  {32, 64, 784},   {7, 784, 5},
        {70, 30, 260},  {1, 300, 64},   {129, 3, 129}, {16, 10, 200},   {16, 200, 200},
        {200, 200, 16}, {10, 200, 16},  {20, 20, 257}, {20, 130, 129},  {33, 200, 330},
        {24, 256, 300}, {40, 260, 210}, {11, 96, 300}, {128, 128, 130},
    };
    for (size_t s = 0; s < KD_COUNT(shapes); s++)
        check_matmuls(bench, shapes[s][0], shapes[s][1], shapes[s][2]);
    for (int64_t rest = 1; rest < 16; rest += bench->is_slow ? 7 : 1) {
        check_matmuls(bench, rest, 33, 20);
        check_matmuls(bench, 16 + rest, 7, 16 + rest);
        check_matmuls(bench, 20, rest, 19);
        check_matmuls(bench, 17, 32 + rest, 3);
        check_matmuls(bench, 18, 16 + rest, 256 + rest);
        check_matmuls(bench, 32 + rest, 32 + rest, rest);
    }
}

static double f(enum kd_activation activation, double x)
{
    const double values[] = {
        [KD_ACTIVATION_NONE] = x,
        [KD_ACTIVATION_RELU] = x > 0 ? x : 0,
        [KD_ACTIVATION_GELU] = 0.5 * x * erfc(-x * sqrt(0.5)),
        [KD_ACTIVATION_TANH] = tanh(x),
        [KD_ACTIVATION_SILU] = x / (1 + exp(-x)),
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
        [KD_ACTIVATION_SILU] = (1 + x * (1 - 1 / (1 + exp(-x)))) / (1 + exp(-x)),
    };
    return values[activation];
}

static void check_one_linear(struct bench *bench, int64_t rows, int64_t n_in, int64_t n_out,
                             enum kd_activation activation, bool with_bias)
{
    struct buffer x = values_random(bench, rows * n_in, 2);
    struct buffer w = values_random(bench, n_in * n_out, 1);
    struct buffer b = values_random(bench, n_out, 1);
    struct buffer y = values_random(bench, rows * n_out, 1);
    struct buffer pre = values_random(bench, rows * n_out, 1);
    bool with_pre = activation == KD_ACTIVATION_GELU || activation == KD_ACTIVATION_SILU;
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
        if (with_pre)
            assert_value(&pre, i, want, tolerance, "pre");
        assert_value(&y, i, f(activation, with_pre ? (double)pre.host[i] : want),
                     tolerance + (with_pre ? step_of(&y) : 0), "y");
    }
    buffer_free(bench, &x), buffer_free(bench, &w), buffer_free(bench, &b);
    buffer_free(bench, &y), buffer_free(bench, &pre);
}

static void check_linear(struct bench *bench)
{
    static const int64_t shapes[][3] = {{0, 3, 2},    {1, 1, 1},    {5, 7, 3},     {3, 0, 4},
                                        {32, 64, 10}, {17, 33, 31}, {32, 784, 64}, {8, 16, 16}};
    for (size_t s = 0; s < KD_COUNT(shapes); s++)
        for (int a = KD_ACTIVATION_NONE; a <= KD_ACTIVATION_SILU; a++)
            for (int bias = 0; bias < 2; bias++)
                check_one_linear(bench, shapes[s][0], shapes[s][1], shapes[s][2],
                                 (enum kd_activation)a, bias);
}

static void check_activation(struct bench *bench)
{
    FOR_SIZES(n)
    for (int a = KD_ACTIVATION_NONE; a <= KD_ACTIVATION_SILU; a++) {
        struct buffer x = values_random(bench, n, 6), y = values_random(bench, n, 1);
        run(bench, KD_CALL(activation, .x = x.device, .y = y.device, .n = n,
                           .activation = (enum kd_activation)a));
        run(bench, KD_CALL(activation, .x = x.device, .y = x.device, .n = n,
                           .activation = (enum kd_activation)a));
        buffer_read(bench, &y);
        for (int64_t i = 0; i < n; i++)
            assert_value(&y, i, f((enum kd_activation)a, x.host[i]), 1e-6, "y");
        buffer_read(bench, &x);
        if (n)
            assert_memory_equal(x.host, y.host, (size_t)n * sizeof(float));
        buffer_free(bench, &x), buffer_free(bench, &y);
    }
}

static void check_activation_backward(struct bench *bench)
{
    FOR_SIZES(n)
    for (int a = KD_ACTIVATION_NONE; a <= KD_ACTIVATION_SILU; a++) {
        struct buffer dy = values_random(bench, n, 2), saved = values_random(bench, n, 3);
        struct buffer dx = values_random(bench, n, 1);
        double *want = KD_NEW_ARRAY(double, (size_t)n + 1);
        for (int64_t i = 0; i < n; i++) {
            double x = saved.host[i];
            want[i] = derivative((enum kd_activation)a, x);
            if (a != KD_ACTIVATION_GELU && a != KD_ACTIVATION_SILU)
                saved.host[i] = (float)f((enum kd_activation)a, x);
        }
        buffer_write(bench, &saved);
        for (int64_t i = 0; i < n; i++) {
            if (a == KD_ACTIVATION_TANH) /* of what was stored */
                want[i] = 1 - (double)saved.host[i] * (double)saved.host[i];
            want[i] *= (double)dy.host[i];
        }
        run(bench, KD_CALL(activation_backward, .dy = dy.device, .saved = saved.device,
                           .dx = dx.device, .n = n, .activation = (enum kd_activation)a));
        run(bench, KD_CALL(activation_backward, .dy = dy.device, .saved = saved.device,
                           .dx = dy.device, .n = n, .activation = (enum kd_activation)a));
        buffer_read(bench, &dx), buffer_read(bench, &dy);
        for (int64_t i = 0; i < n; i++)
            assert_value(&dx, i, want[i], 2e-6, "dx");
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
        struct buffer x = values_random(bench, rows * columns, 1);
        struct buffer sums = buffer_random(bench, columns, 1);
        for (int beta = 0; beta < 2; beta++) /* the second run adds to the first one's */
            run(bench, KD_CALL(column_sum, .x = x.device, .sums = sums.device, .rows = rows,
                               .columns = columns, .beta = (float)beta));
        buffer_read(bench, &sums);
        for (int64_t j = 0; j < columns; j++) {
            double want = 0;
            for (int64_t i = 0; i < rows; i++)
                want += 2 * (double)x.host[i * columns + j];
            assert_near(sums.host[j], want, 1e-5, "sums", j);
        }
        buffer_free(bench, &x), buffer_free(bench, &sums);
    }
}

static void check_add(struct bench *bench)
{
    FOR_SIZES(n)
    {
        struct buffer a = values_random(bench, n, 2), b = values_random(bench, n, 2);
        struct buffer y = values_random(bench, n, 1);
        run(bench, KD_CALL(add, .a = a.device, .b = b.device, .y = y.device, .n = n));
        buffer_read(bench, &y);
        for (int64_t i = 0; i < n; i++)
            assert_true(y.host[i] == stored_in(&y, a.host[i] + b.host[i]));
        run(bench, KD_CALL(add, .a = a.device, .b = b.device, .y = a.device, .n = n));
        buffer_read(bench, &a);
        if (n)
            assert_memory_equal(a.host, y.host, (size_t)n * sizeof(float));
        buffer_free(bench, &a), buffer_free(bench, &b), buffer_free(bench, &y);
    }
}

enum { DROPOUT_SAMPLES = 3 };
static const int64_t dropout_samples[DROPOUT_SAMPLES] = {0, 77, INT64_C(1) << 40};

/* The 16 bits of element i of a sample (op_dense.h). */
static uint32_t dropout_bits(int64_t sample, int64_t i)
{
    uint32_t words[4], block = (uint32_t)(i / 128 * 16 + i % 16), half = (uint32_t)(i % 128 / 16);
    kd_philox(kd_hash2(11, 4), (uint64_t)sample, UINT64_C(5) << 32 | block, words);
    return words[half / 2] >> (16 * (half % 2)) & 0xFFFF;
}

static void check_add_row(struct bench *bench)
{
    FOR_SIZES(rows)
    FOR_SIZES(columns)
    {
        struct buffer x = values_random(bench, rows * columns, 1);
        struct buffer row = buffer_random(bench, columns, 1);
        struct buffer y = values_random(bench, rows * columns, 1);
        void *outputs[] = {y.device, x.device};
        for (int in_place = 0; in_place < 2; in_place++)
            run(bench, KD_CALL(add_row, .x = x.device, .row = row.device, .y = outputs[in_place],
                               .rows = rows, .columns = columns));
        buffer_read(bench, &y);
        for (int64_t i = 0; i < y.n; i++)
            assert_true(y.host[i] == stored_in(&y, x.host[i] + row.host[i % columns]));
        buffer_read(bench, &x);
        if (x.n)
            assert_memory_equal(x.host, y.host, (size_t)x.n * sizeof(float));
        buffer_free(bench, &x), buffer_free(bench, &row), buffer_free(bench, &y);
    }
}

static void check_one_dropout(struct bench *bench, int64_t size, float rate)
{
    const struct kd_turn turn = {.seed = 11, .step = 5, .n_global = DROPOUT_SAMPLES};
    double share = floor((double)rate * 65536) / 65536;
    struct buffer x = values_random(bench, size * DROPOUT_SAMPLES, 1),
                  y = values_random(bench, x.n, 1);
    struct buffer dx = values_random(bench, x.n, 1);
    void *on_samples = to_device(bench, dropout_samples, sizeof dropout_samples);
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_rate = to_device(bench, &rate, sizeof rate);
    void *kept = bench->device->alloc((size_t)x.n + 1);
    run(bench,
        KD_CALL(dropout, .x = x.device, .y = y.device, .kept = kept, .n_samples = DROPOUT_SAMPLES,
                .size = size, .samples = on_samples, .rate = on_rate, .turn = on_turn, .layer = 4));
    run(bench, KD_CALL(dropout_backward, .dy = x.device, .kept = kept, .dx = dx.device, .n = x.n,
                       .rate = on_rate));
    buffer_read(bench, &y), buffer_read(bench, &dx);
    for (int64_t i = 0; i < y.n; i++) {
        bool is_kept = dropout_bits(dropout_samples[i / size], i % size) >= share * 65536;
        float most = stored_in(&y, 1e30f); /* fp16 ends before what so few are scaled by */
        double want = is_kept ? (double)x.host[i] / (1.0 - share) : 0.0;
        if (isinf(most) && fabs(want) > 65000)
            continue;
        assert_value(&y, i, want, 1e-6, "y");
        assert_true(dx.host[i] == y.host[i]);
    }
    bench->device->free(on_samples), bench->device->free(on_turn), bench->device->free(on_rate);
    bench->device->free(kept);
    buffer_free(bench, &x), buffer_free(bench, &y), buffer_free(bench, &dx);
}

/* Along with the forward pass. */
static void check_dropout_backward(struct bench *bench)
{
    check_one_dropout(bench, 200, 0.3f);
}

static void check_dropout(struct bench *bench)
{
    static const float rates[] = {0.0f, 1e-6f, 0.1f, 0.5f, 0x1.fffffep-1f};
    static const int64_t more[] = {127, 128, 129, 256, 300};
    for (size_t r = 0; r < KD_COUNT(rates); r++) {
        FOR_SIZES(n)
        check_one_dropout(bench, n, rates[r]);
        for (size_t i = 0; i < KD_COUNT(more); i++)
            check_one_dropout(bench, more[i], rates[r]);
    }
}

static void check_copy(struct bench *bench)
{
    FOR_SIZES(n)
    {
        struct buffer x = buffer_random(bench, n, 1), y = buffer_random(bench, n, 1);
        run(bench, KD_CALL(copy, .x = x.device, .y = y.device, .n = n));
        buffer_read(bench, &y);
        assert_memory_equal(y.host, x.host, (size_t)n * sizeof(float));
        buffer_free(bench, &x), buffer_free(bench, &y);
    }
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
            bench_read(bench, &found, on_found, sizeof found);
            assert_int_equal(found, at[i]);
            buffer_free(bench, &x);
        }
    run(bench, KD_CALL(find_nonfinite, .n = 0, .at = on_found));
    bench_read(bench, &found, on_found, sizeof found);
    assert_int_equal(found, -1);
    bench->device->free(on_found);
}

#endif
