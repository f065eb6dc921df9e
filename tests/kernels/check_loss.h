/* check_loss.h - every op of kernels/op_loss.h against a float64 reference. */
#ifndef KD_TESTS_CHECK_LOSS_H
#define KD_TESTS_CHECK_LOSS_H

#include "tests/kernels/buffer.h"

static double log_sum_exp(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += exp((double)x[j]);
    return log(sum);
}

/* One way to ask for the loss. */
struct loss_case {
    int64_t rows, classes;
    float smoothing, mix; /* mix above 0: with other labels */
    bool ignores, backward, ties, scaled;
};

static double cross_entropy_of(const float *row, int64_t classes, int32_t label, double smoothing)
{
    double log_sum = log_sum_exp(row, classes), mean = 0;
    for (int64_t j = 0; j < classes; j++)
        mean += (log_sum - (double)row[j]) / (double)classes;
    return (1 - smoothing) * (log_sum - (double)row[label]) + smoothing * mean;
}

static int rank_of(const float *row, int64_t classes, int32_t label)
{
    int n_above = 0;
    for (int64_t j = 0; j < classes; j++)
        n_above += row[j] > row[label] || (row[j] == row[label] && j < label);
    return n_above;
}

/* What the sums become, from those that are there. */
static struct kd_loss_sums expected_sums(const struct loss_case *c, const float *logits,
                                         const int32_t *labels, const int32_t *others)
{
    struct kd_loss_sums sums = {.loss = 1, .n_correct = 2, .n_top5 = 3, .n_counted = 4};
    for (int64_t i = 0; i < c->rows; i++) {
        const float *row = logits + i * c->classes;
        if (labels[i] < 0)
            continue;
        sums.loss +=
            (1 - (double)c->mix) *
                cross_entropy_of(row, c->classes, labels[i], (double)c->smoothing) +
            (double)c->mix * cross_entropy_of(row, c->classes, others[i], (double)c->smoothing);
        sums.n_correct += rank_of(row, c->classes, labels[i]) == 0;
        sums.n_top5 += rank_of(row, c->classes, labels[i]) < 5;
        sums.n_counted++;
    }
    return sums;
}

/* In memory of the device, for every other case. */
static const float loss_scale = 16;

static double expected_gradient(const struct loss_case *c, double logit, double log_sum, int64_t j,
                                int32_t label, int32_t other)
{
    double p = exp(logit - log_sum), s = c->smoothing, m = c->mix;
    double wanted = (1 - s) * ((j == label) * (1 - m) + (j == other) * m) + s / (double)c->classes;
    return label < 0 ? 0 : (c->scaled ? (double)loss_scale : 1) * (p - wanted) / 40;
}

static void check_loss_sums(struct bench *bench, void *on_sums, struct kd_loss_sums wanted)
{
    struct kd_loss_sums got;
    bench_read(bench, &got, on_sums, sizeof got);
    assert_near(got.loss, wanted.loss, 1e-6, "loss", 0); /* exponentials are of floats */
    assert_int_equal(got.n_correct, wanted.n_correct);
    assert_int_equal(got.n_top5, wanted.n_top5);
    assert_int_equal(got.n_counted, wanted.n_counted);
}

static void check_one_cross_entropy(struct bench *bench, struct loss_case c)
{
    const struct kd_turn turn = {.n_counted = 40, .mix = c.mix};
    struct kd_loss_sums sums = {.loss = 1, .n_correct = 2, .n_top5 = 3, .n_counted = 4};
    struct buffer x = values_random(bench, c.rows * c.classes, 8);
    struct buffer dx = buffer_again(&x);
    int32_t labels[256] = {0}, others[256] = {0};
    if (c.ties)
        for (int64_t i = 0; i < x.n; i++)
            x.host[i] = floorf(x.host[i] / 4);
    buffer_write(bench, &x);
    for (int64_t i = 0; i < c.rows; i++) {
        labels[i] = (int32_t)kd_rng_below(&bench->rng, (uint64_t)c.classes);
        others[i] = (int32_t)kd_rng_below(&bench->rng, (uint64_t)c.classes);
        if (c.ignores && i % 3 == 1)
            labels[i] = -1;
    }
    void *on_labels = to_device(bench, labels, sizeof labels);
    void *on_others = to_device(bench, others, sizeof others);
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_sums = to_device(bench, &sums, sizeof sums);
    void *on_smoothing = to_device(bench, &c.smoothing, sizeof c.smoothing);
    void *on_scale = to_device(bench, &loss_scale, sizeof loss_scale);
    run(bench, KD_CALL(cross_entropy, .logits = x.device, .labels = on_labels,
                       .other_labels = c.mix > 0 ? on_others : NULL, .rows = c.rows,
                       .n_classes = c.classes, .smoothing = c.smoothing > 0 ? on_smoothing : NULL,
                       .scale = c.scaled ? on_scale : NULL, .turn = on_turn, .sums = on_sums,
                       .backward = c.backward));
    buffer_read(bench, &dx);
    check_loss_sums(bench, on_sums, expected_sums(&c, x.host, labels, others));
    double log_sum = 0;
    for (int64_t i = 0; i < x.n; i++) {
        int64_t row = i / c.classes;
        if (i % c.classes == 0)
            log_sum = log_sum_exp(x.host + i, c.classes);
        double wanted = expected_gradient(&c, (double)x.host[i], log_sum, i % c.classes,
                                          labels[row], others[row]);
        assert_value(&dx, i, c.backward ? wanted : (double)x.host[i], c.scaled ? 1.6e-5 : 1e-6,
                     "gradient");
    }
    bench->device->free(on_labels), bench->device->free(on_others), bench->device->free(on_turn);
    bench->device->free(on_sums), bench->device->free(on_smoothing), bench->device->free(on_scale);
    free(dx.host);
    buffer_free(bench, &x);
}

static void check_cross_entropy(struct bench *bench)
{
    FOR_SIZES(n)
    FOR_SIZES(classes)
    for (int flags = 0; classes > 0 && flags < 16; flags++)
        check_one_cross_entropy(bench, (struct loss_case){.rows = n,
                                                          .classes = classes,
                                                          .smoothing = flags & 1 ? 0.1f : 0.0f,
                                                          .mix = flags & 2 ? 0.3f : 0.0f,
                                                          .ignores = flags & 4,
                                                          .scaled = flags & 4,
                                                          .backward = flags & 8,
                                                          .ties = flags == 9});
    static const int64_t many[] = {1000, 4096, 4099, 50257}; /* more than a block of sums */
    for (size_t m = 0; m < KD_COUNT(many); m++)
        for (int backward = 0; backward < 2; backward++)
            check_one_cross_entropy(bench, (struct loss_case){.rows = 3,
                                                              .classes = many[m],
                                                              .smoothing = 0.1f,
                                                              .mix = 0.3f,
                                                              .backward = backward,
                                                              .ties = backward});
}

static void check_one_bce(struct bench *bench, int64_t n, int64_t targets, bool backward)
{
    const struct kd_turn turn = {.n_counted = 40};
    struct kd_loss_sums sums = {.loss = 1}, wanted = {.loss = 1, .n_counted = n};
    struct buffer y = values_random(bench, n * targets, 6), t = buffer_random(bench, y.n, 1);
    struct buffer dy = buffer_again(&y);
    for (int64_t i = 0; i < t.n; i++) {
        t.host[i] = fabsf(t.host[i]);
        double x = y.host[i], target = t.host[i];
        wanted.loss += (log1p(exp(x)) - x * target) / (double)targets;
        wanted.n_correct += (x > 0) == (target > 0.5);
    }
    wanted.n_top5 = wanted.n_correct;
    if (targets == 0)
        wanted.n_counted = 0;
    buffer_write(bench, &t);
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_sums = to_device(bench, &sums, sizeof sums);
    void *on_scale = to_device(bench, &loss_scale, sizeof loss_scale);
    run(bench, KD_CALL(bce, .y = y.device, .targets = t.device, .rows = n, .n_targets = targets,
                       .scale = on_scale, .turn = on_turn, .sums = on_sums, .backward = backward));
    buffer_read(bench, &dy);
    check_loss_sums(bench, on_sums, wanted);
    for (int64_t i = 0; i < y.n; i++) {
        double x = y.host[i], gradient = 1 / (1 + exp(-x)) - (double)t.host[i];
        gradient *= (double)loss_scale / ((double)targets * 40);
        assert_value(&dy, i, backward ? gradient : x, 1.6e-5, "gradient");
    }
    bench->device->free(on_turn), bench->device->free(on_sums), bench->device->free(on_scale);
    free(dy.host);
    buffer_free(bench, &y), buffer_free(bench, &t);
}

static void check_bce(struct bench *bench)
{
    FOR_SIZES(n)
    FOR_SIZES(targets)
    for (int backward = 0; backward < 2; backward++)
        check_one_bce(bench, n, targets, backward);
    check_one_bce(bench, 4099, 3, true); /* more than a block of sums */
}

static void check_one_mse(struct bench *bench, int64_t n, int64_t targets, bool backward)
{
    const struct kd_turn turn = {.n_counted = 40};
    struct kd_loss_sums sums = {.loss = 1};
    struct buffer y = values_random(bench, n * targets, 2), t = buffer_random(bench, y.n, 2);
    struct buffer dy = buffer_again(&y);
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_sums = to_device(bench, &sums, sizeof sums);
    void *on_scale = to_device(bench, &loss_scale, sizeof loss_scale);
    run(bench, KD_CALL(mse, .y = y.device, .targets = t.device, .rows = n, .n_targets = targets,
                       .scale = on_scale, .turn = on_turn, .sums = on_sums, .backward = backward));
    buffer_read(bench, &dy);
    bench_read(bench, &sums, on_sums, sizeof sums);
    double loss = 1;
    for (int64_t i = 0; i < y.n; i++) {
        double error = (double)y.host[i] - (double)t.host[i];
        loss += error * error / (double)targets;
        double want = 2 * (double)loss_scale * error / ((double)targets * 40);
        assert_value(&dy, i, backward ? want : (double)y.host[i], 1.6e-5, "gradient");
    }
    assert_near(sums.loss, loss, 1e-7, "loss", 0); /* differences are rounded to floats */
    assert_int_equal(sums.n_correct, 0);
    assert_int_equal(sums.n_counted, targets > 0 ? n : 0);
    bench->device->free(on_turn), bench->device->free(on_sums), bench->device->free(on_scale);
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

#endif
