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

static void check_one_cross_entropy(struct bench *bench, int64_t n, int64_t classes, bool backward)
{
    const struct kd_turn turn = {.n_counted = 40};
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
        KD_CALL(cross_entropy, .logits = x.device, .labels = on_labels, .rows = n,
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
    const struct kd_turn turn = {.n_counted = 40};
    struct kd_loss_sums sums = {.loss = 1};
    struct buffer y = buffer_random(bench, n * targets, 2), t = buffer_random(bench, y.n, 2);
    struct buffer dy = {KD_NEW_ARRAY(float, (size_t)y.n + 1), y.device, y.n};
    void *on_turn = to_device(bench, &turn, sizeof turn);
    void *on_sums = to_device(bench, &sums, sizeof sums);
    run(bench, KD_CALL(mse, .y = y.device, .targets = t.device, .rows = n, .n_targets = targets,
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

#endif
