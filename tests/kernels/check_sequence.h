/* check_sequence.h - every op of kernels/op_sequence.h against a float64 reference. */
#ifndef KD_TESTS_CHECK_SEQUENCE_H
#define KD_TESTS_CHECK_SEQUENCE_H

#include <string.h>

#include "tests/kernels/buffer.h"

/* ---- layer normalisation */

static double row_mean(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += (double)x[j];
    return sum / (double)n;
}

static double row_rstd(const float *x, int64_t n, double epsilon)
{
    double mean = row_mean(x, n), sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += ((double)x[j] - mean) * ((double)x[j] - mean);
    return 1 / sqrt(sum / (double)n + epsilon);
}

enum { LAYERNORM_ROWS_MAX = 5 };

static const float epsilon = 1e-5f;

struct layernorm_buffers {
    struct buffer x, weight, bias, y, saved, dy, dx, dweight, dbias;
};

static struct layernorm_buffers layernorm_buffers(struct bench *bench, int64_t rows,
                                                  int64_t columns)
{
    struct layernorm_buffers b = {
        .x = values_random(bench, rows * columns, 2),
        .weight = buffer_random(bench, columns + 1, 1),
        .bias = buffer_random(bench, columns + 1, 1),
        .y = values_random(bench, rows * columns, 1),
        .saved = buffer_random(bench, rows * 2, 1),
        .dy = values_random(bench, rows * columns, 1),
        .dx = values_random(bench, rows * columns, 1),
        .dweight = buffer_random(bench, columns, 1),
        .dbias = buffer_random(bench, columns, 1),
    };
    for (int64_t i = 0; i < b.x.n; i++)
        b.x.host[i] += 3; /* a mean that is not zero */
    buffer_write(bench, &b.x);
    return b;
}

static void layernorm_free(struct bench *bench, struct layernorm_buffers *b)
{
    struct buffer *all = &b->x;
    for (size_t i = 0; i < sizeof *b / sizeof *all; i++)
        buffer_free(bench, &all[i]);
}

/* The first `shift` values are left out: rows begin at other places of memory then, one fewer of
 * them. weights_at: where weight and bias begin, 0 or 1, as tensors may in an arena. */
struct layernorm_case {
    int64_t rows, columns, shift;
    bool has_bias;
    int weights_at;
};

static void run_layernorm(struct bench *bench, const struct layernorm_buffers *b,
                          struct layernorm_case c)
{
    run(bench, KD_CALL(layernorm, .x = buffer_at(&b->x, c.shift),
                       .weight = buffer_at(&b->weight, c.weights_at),
                       .bias = c.has_bias ? buffer_at(&b->bias, c.weights_at) : NULL,
                       .y = buffer_at(&b->y, c.shift), .saved = b->saved.device,
                       .rows = c.rows - (c.shift > 0), .columns = c.columns, .epsilon = epsilon));
}

static void compare_layernorm(struct bench *bench, struct layernorm_buffers *b,
                              struct layernorm_case c)
{
    buffer_read(bench, &b->y), buffer_read(bench, &b->saved);
    for (int64_t i = 0; i < c.rows - (c.shift > 0) && c.columns; i++) {
        int64_t first = i * c.columns + c.shift;
        const float *x = b->x.host + first;
        double mean = row_mean(x, c.columns), rstd = row_rstd(x, c.columns, (double)epsilon);
        assert_near(b->saved.host[2 * i], mean, 1e-6, "mean", i);
        assert_near(b->saved.host[2 * i + 1], rstd, 2e-6, "rstd", i);
        for (int64_t j = 0; j < c.columns; j++)
            assert_value(&b->y, first + j,
                         ((double)x[j] - mean) * rstd * (double)b->weight.host[j + c.weights_at] +
                             (c.has_bias ? (double)b->bias.host[j + c.weights_at] : 0.0),
                         c.columns == 1 ? 1e-3 : 5e-6, "y");
    }
}

static void check_one_layernorm(struct bench *bench, struct layernorm_case c)
{
    struct layernorm_buffers b = layernorm_buffers(bench, c.rows, c.columns);
    run_layernorm(bench, &b, c);
    compare_layernorm(bench, &b, c);
    layernorm_free(bench, &b);
}

/* A warp's rows and a block's: short enough for registers and not, in groups of values and not. */
static const struct layernorm_case layernorm_cases[] = {
    {3, 1500, 0, true, 0}, {9, 64, 0, true, 0},   {9, 64, 1, true, 0},    {3, 1024, 0, true, 0},
    {2, 1536, 0, true, 0}, {2, 8200, 0, true, 0}, {3, 1536, 3, false, 0}, {2, 8201, 0, false, 0},
    {9, 64, 0, true, 1},   {2, 8200, 0, true, 1},
};

static void check_layernorm(struct bench *bench)
{
    FOR_SIZES(columns)
    for (int64_t rows = 0; rows < LAYERNORM_ROWS_MAX; rows += 2)
        for (int bias = 0; bias < 2; bias++)
            check_one_layernorm(bench, (struct layernorm_case){rows, columns, 0, bias, 0});
    for (size_t c = 0; c < KD_COUNT(layernorm_cases); c++)
        check_one_layernorm(bench, layernorm_cases[c]);
}

/* What add and then layernorm give, and the same bits where the sum lies in a's place and y in
 * b's. */
static void check_one_add_layernorm(struct bench *bench, struct layernorm_case c)
{
    struct layernorm_buffers b = layernorm_buffers(bench, c.rows, c.columns);
    struct buffer more = values_random(bench, b.x.n, 1), sum = values_random(bench, b.x.n, 1);
    struct kd_op_add_layernorm op = {.a = buffer_at(&b.x, c.shift),
                                     .b = buffer_at(&more, c.shift),
                                     .sum = buffer_at(&sum, c.shift),
                                     .weight = buffer_at(&b.weight, c.weights_at),
                                     .bias = c.has_bias ? buffer_at(&b.bias, c.weights_at) : NULL,
                                     .y = buffer_at(&b.y, c.shift),
                                     .saved = b.saved.device,
                                     .rows = c.rows - (c.shift > 0),
                                     .columns = c.columns,
                                     .epsilon = epsilon};
    struct kd_call call = {.op = KD_OP_add_layernorm, .args.add_layernorm = op};
    run(bench, call);
    buffer_read(bench, &sum);
    int64_t n = op.rows * op.columns;
    for (int64_t i = c.shift; i < c.shift + n; i++)
        assert_true(sum.host[i] == stored_in(&sum, b.x.host[i] + more.host[i]));
    struct buffer in_place = buffer_again(&b.x), y_in_place = buffer_again(&more);
    call.args.add_layernorm.sum = buffer_at(&b.x, c.shift);
    call.args.add_layernorm.y = buffer_at(&more, c.shift);
    run(bench, call);
    memcpy(b.x.host, sum.host, (size_t)sum.n * sizeof *sum.host);
    compare_layernorm(bench, &b, c);
    buffer_read(bench, &in_place), buffer_read(bench, &y_in_place);
    if (n) {
        assert_memory_equal(in_place.host + c.shift, sum.host + c.shift, (size_t)n * sizeof(float));
        assert_memory_equal(y_in_place.host + c.shift, b.y.host + c.shift,
                            (size_t)n * sizeof(float));
    }
    free(in_place.host), free(y_in_place.host);
    buffer_free(bench, &more), buffer_free(bench, &sum);
    layernorm_free(bench, &b);
}

static void check_add_layernorm(struct bench *bench)
{
    FOR_SIZES(columns)
    for (int64_t rows = 0; rows < LAYERNORM_ROWS_MAX; rows += 2)
        check_one_add_layernorm(bench, (struct layernorm_case){rows, columns, 0, rows % 4 == 0, 0});
    for (size_t c = 0; c < KD_COUNT(layernorm_cases); c++)
        check_one_add_layernorm(bench, layernorm_cases[c]);
}

/* dx of one row: rstd (g - mean(g) - xhat mean(g xhat)), g = dy weight. */
static void layernorm_dx(const struct layernorm_buffers *b, int64_t i, int64_t columns, double *dx)
{
    const float *x = b->x.host + i * columns, *dy = b->dy.host + i * columns;
    double mean = row_mean(x, columns), rstd = row_rstd(x, columns, (double)epsilon);
    double mean_g = 0, mean_product = 0;
    for (int64_t j = 0; j < columns; j++) {
        double g = (double)dy[j] * (double)b->weight.host[j];
        mean_g += g / (double)columns;
        mean_product += g * ((double)x[j] - mean) * rstd / (double)columns;
    }
    for (int64_t j = 0; j < columns; j++)
        dx[j] = rstd * ((double)dy[j] * (double)b->weight.host[j] - mean_g -
                        ((double)x[j] - mean) * rstd * mean_product);
}

static double layernorm_dweight(const struct layernorm_buffers *b, int64_t rows, int64_t columns,
                                int64_t j)
{
    double sum = 0;
    for (int64_t i = 0; i < rows; i++) {
        const float *x = b->x.host + i * columns;
        sum += (double)b->dy.host[i * columns + j] * ((double)x[j] - row_mean(x, columns)) *
               row_rstd(x, columns, (double)epsilon);
    }
    return sum;
}

/* With beta 0 and then 1: the second run adds the same once more. A row of one value has a gradient
 * of zero times a rstd of 300. */
static void check_one_layernorm_backward(struct bench *bench, int64_t rows, int64_t columns)
{
    struct layernorm_buffers b = layernorm_buffers(bench, rows, columns);
    double tolerance = columns < 4 ? 2e-3 : 2e-5;
    run_layernorm(bench, &b, (struct layernorm_case){rows, columns, 0, true, 0});
    for (int beta = 0; beta < 2; beta++)
        run(bench, KD_CALL(layernorm_backward, .dy = b.dy.device, .x = b.x.device,
                           .saved = b.saved.device, .weight = b.weight.device, .dx = b.dx.device,
                           .dweight = b.dweight.device, .dbias = b.dbias.device, .rows = rows,
                           .columns = columns, .beta_dx = (float)beta, .beta = (float)beta));
    buffer_read(bench, &b.dx), buffer_read(bench, &b.dweight), buffer_read(bench, &b.dbias);
    double *dx = KD_NEW_ARRAY(double, (size_t)columns + 1);
    for (int64_t i = 0; i < rows; i++) {
        layernorm_dx(&b, i, columns, dx);
        for (int64_t j = 0; j < columns; j++)
            assert_value(&b.dx, i * columns + j, 2 * dx[j], tolerance, "dx");
    }
    for (int64_t j = 0; j < columns; j++) {
        double dbias = 0;
        for (int64_t i = 0; i < rows; i++)
            dbias += 2 * (double)b.dy.host[i * columns + j];
        assert_near(b.dbias.host[j], dbias, 1e-6, "dbias", j);
        assert_near(b.dweight.host[j], 2 * layernorm_dweight(&b, rows, columns, j), tolerance,
                    "dweight", j);
    }
    free(dx);
    layernorm_free(bench, &b);
}

/* In place, without a bias, and without anybody who needs dx: the same numbers. */
static void check_layernorm_backward_variants(struct bench *bench, int64_t rows, int64_t columns)
{
    struct layernorm_buffers b = layernorm_buffers(bench, rows, columns);
    struct buffer again = buffer_random(bench, columns, 1);
    run_layernorm(bench, &b, (struct layernorm_case){rows, columns, 0, true, 0});
    struct kd_op_layernorm_backward op = {
        .dy = b.dy.device,
        .x = b.x.device,
        .saved = b.saved.device,
        .weight = b.weight.device,
        .dx = b.dx.device,
        .dweight = b.dweight.device,
        .dbias = b.dbias.device,
        .rows = rows,
        .columns = columns,
    };
    struct kd_call call = {.op = KD_OP_layernorm_backward, .args.layernorm_backward = op};
    run(bench, call);
    call.args.layernorm_backward.dx = NULL;
    call.args.layernorm_backward.dbias = NULL;
    call.args.layernorm_backward.dweight = again.device;
    run(bench, call);
    call.args.layernorm_backward.dx = b.dy.device;
    run(bench, call);
    buffer_read(bench, &b.dx), buffer_read(bench, &b.dy);
    buffer_read(bench, &b.dweight), buffer_read(bench, &again);
    if (b.dx.n)
        assert_memory_equal(b.dx.host, b.dy.host, (size_t)b.dx.n * sizeof(float));
    if (columns)
        assert_memory_equal(b.dweight.host, again.host, (size_t)columns * sizeof(float));
    buffer_free(bench, &again);
    layernorm_free(bench, &b);
}

static void check_layernorm_backward(struct bench *bench)
{
    FOR_SIZES(columns)
    for (int64_t rows = 0; rows < LAYERNORM_ROWS_MAX; rows += 2) {
        check_one_layernorm_backward(bench, rows, columns);
        check_layernorm_backward_variants(bench, rows, columns);
    }
    for (size_t c = 0; c < KD_COUNT(layernorm_cases); c++)
        check_one_layernorm_backward(bench, layernorm_cases[c].rows, layernorm_cases[c].columns);
}

/* ---- embedding */

enum { ENTRIES = 6 };

static int32_t *random_tokens(struct bench *bench, int64_t rows)
{
    int32_t *tokens = KD_NEW_ARRAY(int32_t, (size_t)rows + 1);
    for (int64_t i = 0; i < rows; i++)
        tokens[i] = (int32_t)kd_rng_below(&bench->rng, ENTRIES);
    return tokens;
}

static void check_one_embedding(struct bench *bench, int64_t rows, int64_t columns)
{
    struct buffer table = buffer_random(bench, ENTRIES * columns, 1);
    struct buffer y = values_random(bench, rows * columns, 1);
    int32_t *tokens = random_tokens(bench, rows);
    void *on_tokens = to_device(bench, tokens, (size_t)rows * sizeof *tokens);
    run(bench, KD_CALL(embedding, .tokens = on_tokens, .table = table.device, .y = y.device,
                       .rows = rows, .columns = columns, .n_entries = ENTRIES));
    buffer_read(bench, &y);
    for (int64_t i = 0; i < y.n; i++)
        assert_true(y.host[i] ==
                    stored_in(&y, table.host[tokens[i / columns] * columns + i % columns]));
    free(tokens);
    bench->device->free(on_tokens);
    buffer_free(bench, &table), buffer_free(bench, &y);
}

static void check_embedding(struct bench *bench)
{
    FOR_SIZES(rows)
    FOR_SIZES(columns)
    check_one_embedding(bench, rows, columns);
}

static void check_one_embedding_backward(struct bench *bench, int64_t rows, int64_t columns)
{
    struct buffer dtable = buffer_random(bench, ENTRIES * columns, 1);
    struct buffer dy = values_random(bench, rows * columns, 1);
    int32_t *tokens = random_tokens(bench, rows);
    void *on_tokens = to_device(bench, tokens, (size_t)rows * sizeof *tokens);
    double *want = KD_NEW_ARRAY(double, (size_t)dtable.n + 1);
    for (int64_t i = 0; i < dy.n; i++)
        want[tokens[i / columns] * columns + i % columns] += 2 * (double)dy.host[i];
    for (int beta = 0; beta < 2; beta++)
        run(bench, KD_CALL(embedding_backward, .tokens = on_tokens, .dy = dy.device,
                           .dtable = dtable.device, .rows = rows, .columns = columns,
                           .n_entries = ENTRIES, .beta = (float)beta));
    buffer_read(bench, &dtable);
    for (int64_t i = 0; i < dtable.n; i++)
        assert_near(dtable.host[i], want[i], 1e-5, "dtable", i);
    free(tokens), free(want);
    bench->device->free(on_tokens);
    buffer_free(bench, &dtable), buffer_free(bench, &dy);
}

static void check_embedding_backward(struct bench *bench)
{
    FOR_SIZES(rows)
    FOR_SIZES(columns)
    check_one_embedding_backward(bench, rows, columns);
    check_one_embedding_backward(bench, 600, 300); /* several blocks of either */
}

/* ---- rotary positions and attention */

/* Element i of row t of part 0, 1, 2 (q, k, v) of a head, in qkv. */
static int64_t qkv_at(const struct kd_op_attention *a, int64_t sample, int64_t t, int part,
                      int64_t head, int64_t i)
{
    return (((sample * a->length + t) * 3 + part) * a->n_heads + head) * a->size + i;
}

static int64_t y_at(const struct kd_op_attention *a, int64_t sample, int64_t t, int64_t head,
                    int64_t i)
{
    return ((sample * a->length + t) * a->n_heads + head) * a->size + i;
}

static double turned(const float *x, const struct kd_op_attention *a, const int64_t at[4],
                     int64_t i)
{
    int64_t half = a->size / 2, pair = i % half;
    double angle = (double)at[1] * pow(10000, -2.0 * (double)pair / (double)a->size);
    double first = x[qkv_at(a, at[0], at[1], (int)at[2], at[3], pair)];
    double second = x[qkv_at(a, at[0], at[1], (int)at[2], at[3], pair + half)];
    return i < half ? first * cos(angle) - second * sin(angle)
                    : second * cos(angle) + first * sin(angle);
}

static void check_one_rotary(struct bench *bench, const struct kd_op_attention *shape)
{
    int64_t n = shape->n * shape->length * 3 * shape->n_heads * shape->size;
    struct buffer qkv = values_random(bench, n, 1);
    float *before = KD_NEW_ARRAY(float, (size_t)n + 1);
    memcpy(before, qkv.host, (size_t)n * sizeof *before);
    for (int inverse = 0; inverse < 2; inverse++) {
        run(bench, KD_CALL(rotary, .qkv = qkv.device, .n = shape->n, .length = shape->length,
                           .n_heads = shape->n_heads, .size = shape->size, .base = 10000,
                           .inverse = inverse));
        buffer_read(bench, &qkv);
        for (int64_t e = 0; e < n; e++) {
            int64_t head = e / shape->size, part = head / shape->n_heads, row = part / 3;
            int64_t at[] = {row / shape->length, row % shape->length, part % 3,
                            head % shape->n_heads};
            double want = inverse || part % 3 == 2 ? (double)before[e]
                                                   : turned(before, shape, at, e % shape->size);
            assert_value(&qkv, e, want, 1e-6 + step_of(&qkv),
                         "qkv"); /* turned back: rounded twice */
        }
    }
    free(before);
    buffer_free(bench, &qkv);
}

static const struct kd_op_attention attention_shapes[] = {
    {.n = 0, .length = 3, .n_heads = 2, .size = 4},
    {.n = 1, .length = 0, .n_heads = 2, .size = 4},
    {.n = 1, .length = 1, .n_heads = 1, .size = 2},
    {.n = 2, .length = 5, .n_heads = 3, .size = 6},
    {.n = 1, .length = 16, .n_heads = 2, .size = 16},
    {.n = 2, .length = 17, .n_heads = 1, .size = 32},
    {.n = 1, .length = 33, .n_heads = 2, .size = 48},
    {.n = 1, .length = 64, .n_heads = 2, .size = 64},
    {.n = 3, .length = 31, .n_heads = 4, .size = 10},
    {.n = 1, .length = 130, .n_heads = 1, .size = 34},
    {.n = 1, .length = 35, .n_heads = 2, .size = 150}, /* more than one part of a head on a GPU */
    {.n = 1, .length = 131, .n_heads = 1, .size = 64}, /* more than one tile of tensor cores */
    {.n = 2, .length = 65, .n_heads = 1, .size = 128},
};

static void check_rotary(struct bench *bench)
{
    for (size_t s = 0; s < KD_COUNT(attention_shapes); s++)
        check_one_rotary(bench, &attention_shapes[s]);
}

/* One head of the reference: weights[t][s], zero where s > t, and the logarithm of each row's
 * sum. */
static void reference_weights(const struct kd_op_attention *a, const float *qkv, int64_t sample,
                              int64_t head, double *weights, double *log_sums)
{
    for (int64_t t = 0; t < a->length; t++) {
        double *row = weights + t * a->length, sum = 0;
        for (int64_t s = 0; s <= t; s++) {
            double score = 0;
            for (int64_t i = 0; i < a->size; i++)
                score += (double)qkv[qkv_at(a, sample, t, 0, head, i)] *
                         (double)qkv[qkv_at(a, sample, s, 1, head, i)];
            row[s] = exp(score / sqrt((double)a->size));
            sum += row[s];
        }
        for (int64_t s = 0; s < a->length; s++)
            row[s] = s <= t ? row[s] / sum : 0;
        log_sums[t] = log(sum);
    }
}

/* What all tests of one shape of attention hold. */
struct attention_bench {
    struct kd_op_attention op; /* its pointers are the device's */
    struct buffer qkv, y, log_sum, dy, dqkv;
    double *weights, *log_sums; /* of one head, the reference's */
};

static struct attention_bench attention_new(struct bench *bench, struct kd_op_attention op)
{
    int64_t rows = op.n * op.length * op.n_heads;
    struct attention_bench b = {
        .op = op,
        .qkv = values_random(bench, 3 * rows * op.size, 2),
        .y = values_random(bench, rows * op.size, 1),
        .log_sum = buffer_random(bench, rows, 1),
        .dy = values_random(bench, rows * op.size, 1),
        .dqkv = values_random(bench, 3 * rows * op.size, 1),
        .weights = KD_NEW_ARRAY(double, (size_t)(op.length * op.length) + 1),
        .log_sums = KD_NEW_ARRAY(double, (size_t)op.length + 1),
    };
    b.op.qkv = b.qkv.device, b.op.y = b.y.device, b.op.log_sum = b.log_sum.device;
    run(bench, (struct kd_call){.op = KD_OP_attention, .args.attention = b.op});
    buffer_read(bench, &b.y), buffer_read(bench, &b.log_sum);
    return b;
}

static void attention_release(struct bench *bench, struct attention_bench *b)
{
    buffer_free(bench, &b->qkv), buffer_free(bench, &b->y), buffer_free(bench, &b->log_sum);
    buffer_free(bench, &b->dy), buffer_free(bench, &b->dqkv);
    free(b->weights), free(b->log_sums);
}

/* How far a sum of n may be off because one factor of each summand, 2 of the other, was rounded to
 * values on the way, as tensor cores need it: half a step of each summand, of which `magnitude` is
 * the sum, and of the least that there is. */
static double rounded_factors(const struct buffer *values, double magnitude, int64_t n)
{
    return step_of(values) > 0 ? step_of(values) / 2 * magnitude + 0x1p-24 * (double)n : 0;
}

static void check_attention_head(struct attention_bench *b, int64_t sample, int64_t head)
{
    const struct kd_op_attention *a = &b->op;
    reference_weights(a, b->qkv.host, sample, head, b->weights, b->log_sums);
    for (int64_t t = 0; t < a->length; t++) {
        assert_near(b->log_sum.host[(sample * a->n_heads + head) * a->length + t], b->log_sums[t],
                    2e-6, "log_sum", t);
        for (int64_t i = 0; i < a->size; i++) {
            double want = 0, magnitude = 0;
            for (int64_t s = 0; s <= t; s++) {
                double summand = b->weights[t * a->length + s] *
                                 (double)b->qkv.host[qkv_at(a, sample, s, 2, head, i)];
                want += summand, magnitude += fabs(summand);
            }
            assert_value(&b->y, y_at(a, sample, t, head, i), want,
                         5e-6 + rounded_factors(&b->y, magnitude, t + 1), "y");
        }
    }
}

static void check_attention(struct bench *bench)
{
    for (size_t c = 0; c < KD_COUNT(attention_shapes); c++) {
        struct attention_bench b = attention_new(bench, attention_shapes[c]);
        for (int64_t sample = 0; sample < b.op.n; sample++)
            for (int64_t head = 0; head < b.op.n_heads; head++)
                check_attention_head(&b, sample, head);
        attention_release(bench, &b);
    }
}

/* d loss / d weights[t][s] = dy[t] v[s]. */
static double weight_gradient(const struct attention_bench *b, int64_t sample, int64_t head,
                              int64_t t, int64_t s)
{
    double sum = 0;
    for (int64_t i = 0; i < b->op.size; i++)
        sum += (double)b->dy.host[y_at(&b->op, sample, t, head, i)] *
               (double)b->qkv.host[qkv_at(&b->op, sample, s, 2, head, i)];
    return sum;
}

/* The gradients of q, k and v, and of each the magnitudes of its summands. */
struct gradients {
    double *sums, *magnitudes;
};

static void add_summand(struct gradients *to, int64_t at, double summand)
{
    to->sums[at] += summand;
    to->magnitudes[at] += fabs(summand);
}

/* Adds one query's part. */
static void reference_row(const struct attention_bench *b, int64_t sample, int64_t head, int64_t t,
                          struct gradients *dqkv)
{
    const struct kd_op_attention *a = &b->op;
    const double *p = b->weights + t * a->length;
    double mean = 0; /* of the weights' gradients, from the y that was given, as it was stored */
    for (int64_t i = 0; i < a->size; i++)
        mean += (double)b->dy.host[y_at(a, sample, t, head, i)] *
                (double)b->y.host[y_at(a, sample, t, head, i)];
    for (int64_t s = 0; s <= t; s++) {
        double difference = p[s] * (weight_gradient(b, sample, head, t, s) - mean);
        for (int64_t i = 0; i < a->size; i++) {
            int64_t q = qkv_at(a, sample, t, 0, head, i), k = qkv_at(a, sample, s, 1, head, i);
            add_summand(dqkv, q, difference * (double)b->qkv.host[k] / sqrt((double)a->size));
            add_summand(dqkv, k, difference * (double)b->qkv.host[q] / sqrt((double)a->size));
            add_summand(dqkv, qkv_at(a, sample, s, 2, head, i),
                        p[s] * (double)b->dy.host[y_at(a, sample, t, head, i)]);
        }
    }
}

static void reference_gradients(struct attention_bench *b, struct gradients *dqkv)
{
    for (int64_t sample = 0; sample < b->op.n; sample++)
        for (int64_t head = 0; head < b->op.n_heads; head++) {
            reference_weights(&b->op, b->qkv.host, sample, head, b->weights, b->log_sums);
            for (int64_t t = 0; t < b->op.length; t++)
                reference_row(b, sample, head, t, dqkv);
        }
}

static void check_attention_backward(struct bench *bench)
{
    for (size_t c = 0; c < KD_COUNT(attention_shapes); c++) {
        struct attention_bench b = attention_new(bench, attention_shapes[c]);
        struct gradients dqkv = {KD_NEW_ARRAY(double, (size_t)b.dqkv.n + 1),
                                 KD_NEW_ARRAY(double, (size_t)b.dqkv.n + 1)};
        reference_gradients(&b, &dqkv);
        run(bench,
            KD_CALL(attention_backward, .dy = b.dy.device, .qkv = b.qkv.device, .y = b.y.device,
                    .log_sum = b.log_sum.device, .dqkv = b.dqkv.device, .n = b.op.n,
                    .length = b.op.length, .n_heads = b.op.n_heads, .size = b.op.size));
        buffer_read(bench, &b.dqkv);
        for (int64_t i = 0; i < b.dqkv.n; i++)
            assert_value(&b.dqkv, i, dqkv.sums[i],
                         1e-5 + rounded_factors(&b.dqkv, dqkv.magnitudes[i], b.op.length), "dqkv");
        free(dqkv.sums), free(dqkv.magnitudes);
        attention_release(bench, &b);
    }
}

#endif
