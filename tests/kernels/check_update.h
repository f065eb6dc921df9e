/* check_update.h - the optimizers' ops against the published equations in float64. */
#ifndef KD_TESTS_KERNELS_CHECK_UPDATE_H
#define KD_TESTS_KERNELS_CHECK_UPDATE_H

#include "tests/kernels/buffer.h"

static const struct kd_hyper hyper = {
    .lr = 0.03f,
    .momentum = 0.9f,
    .weight_decay = 0.1f,
    .beta1 = 0.9f,
    .beta2 = 0.99f,
    .epsilon = 1e-8f,
    .step = 3,
};

/* Two ranges, the first one decays; returns after two steps with the same gradients. */
static void run_update(struct bench *bench, enum kd_op op, struct buffer *p, struct buffer *g,
                       struct buffer *m, struct buffer *v)
{
    struct kd_range ranges[2] = {{.n = p->n / 2, .decay = true}, {.n = p->n - p->n / 2}};
    struct kd_hyper now = hyper;
    void *on_hyper = to_device(bench, &now, sizeof now);
    struct kd_op_update update = {
        .parameters = p->device,
        .gradients = g->device,
        .state = {m ? m->device : NULL, v ? v->device : NULL},
        .ranges = ranges,
        .n_ranges = 2,
        .hyper = on_hyper,
    };
    for (int step = 0; step < 2; step++, now.step++) {
        bench->device->copy_in(bench->queue, on_hyper, &now, sizeof now);
        run(bench, (struct kd_call){.op = op, .args.sgd = update});
    }
    bench->device->free(on_hyper);
}

static double keep(int64_t i, int64_t n)
{
    return i < n / 2 ? 1.0 - (double)hyper.lr * (double)hyper.weight_decay : 1.0;
}

static void check_one_sgd(struct bench *bench, int64_t n, bool with_state)
{
    struct buffer p = buffer_random(bench, n, 1), g = buffer_random(bench, n, 1);
    struct buffer m = buffer_random(bench, n, 1);
    struct buffer after = {KD_NEW_ARRAY(float, (size_t)n + 1), p.device, n};
    run_update(bench, KD_OP_sgd, &p, &g, with_state ? &m : NULL, NULL);
    buffer_read(bench, &after);
    for (int64_t i = 0; i < n; i++) {
        double x = p.host[i], v = with_state ? (double)m.host[i] : 0.0;
        for (int step = 0; step < 2; step++) {
            v = (with_state ? (double)hyper.momentum : 0.0) * v + (double)g.host[i];
            x = x * keep(i, n) - (double)hyper.lr * v;
        }
        assert_near(after.host[i], x, 1e-6, "p", i);
    }
    free(after.host);
    buffer_free(bench, &p), buffer_free(bench, &g), buffer_free(bench, &m);
}

static void check_sgd(struct bench *bench)
{
    FOR_SIZES(n)
    for (int with_state = 0; with_state < 2; with_state++)
        check_one_sgd(bench, n, with_state);
}

static void check_adamw(struct bench *bench)
{
    FOR_SIZES(n)
    {
        struct buffer p = buffer_random(bench, n, 1), g = buffer_random(bench, n, 1);
        struct buffer m = buffer_random(bench, n, 1), v = buffer_random(bench, n, 1);
        struct buffer after = {KD_NEW_ARRAY(float, (size_t)n + 1), p.device, n};
        for (int64_t i = 0; i < n; i++)
            v.host[i] = fabsf(v.host[i]);
        buffer_write(bench, &v);
        run_update(bench, KD_OP_adamw, &p, &g, &m, &v);
        buffer_read(bench, &after);
        for (int64_t i = 0; i < n; i++) {
            double b1 = hyper.beta1, b2 = hyper.beta2, gradient = g.host[i];
            double x = p.host[i], mean = m.host[i], square = v.host[i];
            for (int step = 3; step < 5; step++) {
                mean = b1 * mean + (1 - b1) * gradient;
                square = b2 * square + (1 - b2) * gradient * gradient;
                x = x * keep(i, n) - (double)hyper.lr * (mean / (1 - pow(b1, step))) /
                                         (sqrt(square / (1 - pow(b2, step))) + 1e-8);
            }
            assert_near(after.host[i], x, 3e-6, "p", i);
        }
        free(after.host);
        buffer_free(bench, &p), buffer_free(bench, &g);
        buffer_free(bench, &m), buffer_free(bench, &v);
    }
}

#endif
