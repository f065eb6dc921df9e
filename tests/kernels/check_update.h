/* check_update.h - every op of kernels/op_update.h against the published equations in float64. */
#ifndef KD_TESTS_KERNELS_CHECK_UPDATE_H
#define KD_TESTS_KERNELS_CHECK_UPDATE_H

#include "tests/kernels/buffer.h"

enum { UPDATE_STEPS = 2, FIRST_STEP = 3 };

static const struct kd_hyper hyper = {
    .lr = 0.03f,
    .momentum = 0.9f,
    .weight_decay = 0.1f,
    .beta1 = 0.9f,
    .beta2 = 0.99f,
    .epsilon = 1e-8f,
    .average_decay = 0.75f,
    .step = FIRST_STEP,
};

/* One parameter and its state, in float64, and the gradient after clipping. */
struct scalar {
    double p, g, m, v;
    bool decays;
};
typedef void scalar_step_fn(struct scalar *s, const struct kd_hyper *h);

static void decay(struct scalar *s, const struct kd_hyper *h)
{
    s->p *= s->decays ? 1.0 - (double)h->lr * (double)h->weight_decay : 1.0;
}

static void scalar_sgd(struct scalar *s, const struct kd_hyper *h)
{
    decay(s, h);
    s->m = (double)h->momentum * s->m + s->g;
    s->p -= (double)h->lr * (h->nesterov ? s->g + (double)h->momentum * s->m : s->m);
}

static void scalar_plain_sgd(struct scalar *s, const struct kd_hyper *h)
{
    decay(s, h);
    s->p -= (double)h->lr * s->g;
}

static double scalar_adam(struct scalar *s, const struct kd_hyper *h)
{
    double b1 = h->beta1, b2 = h->beta2;
    s->m = b1 * s->m + (1 - b1) * s->g;
    s->v = b2 * s->v + (1 - b2) * s->g * s->g;
    return s->m / (1 - pow(b1, (double)h->step)) /
           (sqrt(s->v / (1 - pow(b2, (double)h->step))) + (double)h->epsilon);
}

static void scalar_adamw(struct scalar *s, const struct kd_hyper *h)
{
    decay(s, h);
    s->p -= (double)h->lr * scalar_adam(s, h);
}

static void scalar_lion(struct scalar *s, const struct kd_hyper *h)
{
    double c = (double)h->beta1 * s->m + (1 - (double)h->beta1) * s->g;
    decay(s, h);
    s->p -= (double)h->lr * (c > 0 ? 1.0 : c < 0 ? -1.0 : 0.0);
    s->m = (double)h->beta2 * s->m + (1 - (double)h->beta2) * s->g;
}

/* An arena of two ranges, of which the first decays, with the state and a clipping factor. */
struct arena {
    struct buffer p, g, m, v;
    struct kd_range ranges[2];
    struct scalar *scalars; /* the same in float64 */
    void *hyper, *scale;
};

static struct arena arena_new(struct bench *bench, int64_t n)
{
    const float scale = 0.5f;
    struct arena arena = {
        .p = buffer_random(bench, n, 1),
        .g = buffer_random(bench, n, 1),
        .m = buffer_random(bench, n, 1),
        .v = buffer_random(bench, n, 1),
        .ranges = {{.n = n / 2, .decay = true}, {.n = n - n / 2}},
        .scalars = KD_NEW_ARRAY(struct scalar, (size_t)n + 1),
        .hyper = to_device(bench, &hyper, sizeof hyper),
        .scale = to_device(bench, &scale, sizeof scale),
    };
    for (int64_t i = 0; i < n; i++)
        arena.v.host[i] = i == 1 ? 0 : fabsf(arena.v.host[i]);
    buffer_write(bench, &arena.v);
    for (int64_t i = 0; i < n; i++)
        arena.scalars[i] = (struct scalar){.p = arena.p.host[i],
                                           .g = (double)arena.g.host[i] * (double)scale,
                                           .m = arena.m.host[i],
                                           .v = arena.v.host[i],
                                           .decays = i < n / 2};
    return arena;
}

static void arena_free(struct bench *bench, struct arena *arena)
{
    buffer_free(bench, &arena->p), buffer_free(bench, &arena->g);
    buffer_free(bench, &arena->m), buffer_free(bench, &arena->v);
    bench->device->free(arena->hyper), bench->device->free(arena->scale);
    free(arena->scalars);
}

static void check_parameters(struct bench *bench, struct arena *arena)
{
    buffer_read(bench, &arena->p);
    for (int64_t i = 0; i < arena->p.n; i++)
        assert_near(arena->p.host[i], arena->scalars[i].p, 3e-6, "p", i);
}

struct update_case {
    enum kd_op op;
    scalar_step_fn *step;
    int n_slots;
    bool nesterov;
    float epsilon; /* 0: hyper's */
    bool no_momentum;
};

static void check_one_update(struct bench *bench, int64_t n, const struct update_case *c)
{
    struct arena arena = arena_new(bench, n);
    struct kd_hyper now = hyper;
    now.nesterov = c->nesterov;
    now.momentum = c->no_momentum ? 0 : now.momentum;
    now.epsilon = c->epsilon != 0 ? c->epsilon : now.epsilon;
    for (int step = 0; step < UPDATE_STEPS; step++, now.step++) {
        bench->device->copy_in(bench->queue, arena.hyper, &now, sizeof now);
        run(bench, (struct kd_call){.op = c->op,
                                    .args.sgd = {.parameters = arena.p.device,
                                                 .gradients = arena.g.device,
                                                 .state = {c->n_slots > 0 ? arena.m.device : NULL,
                                                           c->n_slots > 1 ? arena.v.device : NULL},
                                                 .ranges = arena.ranges,
                                                 .n_ranges = 2,
                                                 .hyper = arena.hyper,
                                                 .scale = arena.scale}});
        for (int64_t i = 0; i < n; i++)
            c->step(&arena.scalars[i], &now);
    }
    check_parameters(bench, &arena);
    arena_free(bench, &arena);
}

static void check_update(struct bench *bench, struct update_case c)
{
    FOR_SIZES(n)
    check_one_update(bench, n, &c);
}

static void check_sgd(struct bench *bench)
{
    check_update(bench,
                 (struct update_case){
                     .op = KD_OP_sgd, .step = scalar_plain_sgd, .n_slots = 1, .no_momentum = true});
    check_update(bench,
                 (struct update_case){.op = KD_OP_sgd, .step = scalar_plain_sgd, .n_slots = 0});
    check_update(bench, (struct update_case){.op = KD_OP_sgd, .step = scalar_sgd, .n_slots = 1});
    check_update(bench, (struct update_case){
                            .op = KD_OP_sgd, .step = scalar_sgd, .n_slots = 1, .nesterov = true});
}

static void check_adamw(struct bench *bench)
{
    check_update(bench,
                 (struct update_case){.op = KD_OP_adamw, .step = scalar_adamw, .n_slots = 2});
    check_update(bench,
                 (struct update_case){
                     .op = KD_OP_adamw, .step = scalar_adamw, .n_slots = 2, .epsilon = 1e-35f});
}

static void check_lion(struct bench *bench)
{
    check_update(bench, (struct update_case){.op = KD_OP_lion, .step = scalar_lion, .n_slots = 1});
}

/* ---- lamb */

static void lamb_reference(struct arena *arena, const struct kd_hyper *h)
{
    int64_t n = arena->p.n;
    double *u = KD_NEW_ARRAY(double, (size_t)n + 1), weight = 0, length = 0;
    for (int64_t i = 0; i < n; i++) {
        struct scalar *s = &arena->scalars[i];
        u[i] = scalar_adam(s, h) + (s->decays ? (double)h->weight_decay * s->p : 0.0);
        weight += s->decays ? s->p * s->p : 0.0;
        length += s->decays ? u[i] * u[i] : 0.0;
    }
    double ratio = weight > 0 && length > 0 ? sqrt(weight / length) : 1.0;
    for (int64_t i = 0; i < n; i++)
        arena->scalars[i].p -= (double)h->lr * (arena->scalars[i].decays ? ratio : 1.0) * u[i];
    free(u);
}

static void check_one_lamb(struct bench *bench, int64_t n)
{
    struct arena arena = arena_new(bench, n);
    struct kd_hyper now = hyper;
    double *norms = bench->device->alloc(4 * sizeof *norms);
    for (int step = 0; step < UPDATE_STEPS; step++, now.step++) {
        bench->device->copy_in(bench->queue, arena.hyper, &now, sizeof now);
        buffer_write(bench, &arena.g);
        run(bench, KD_CALL(lamb_direction, .parameters = arena.p.device,
                           .gradients = arena.g.device, .state = {arena.m.device, arena.v.device},
                           .norms = norms, .ranges = arena.ranges, .n_ranges = 2,
                           .hyper = arena.hyper, .scale = arena.scale));
        run(bench,
            KD_CALL(lamb_apply, .parameters = arena.p.device, .direction = arena.g.device,
                    .norms = norms, .ranges = arena.ranges, .n_ranges = 2, .hyper = arena.hyper));
        lamb_reference(&arena, &now);
    }
    check_parameters(bench, &arena);
    bench->device->free(norms);
    arena_free(bench, &arena);
}

static void check_lamb_direction(struct bench *bench)
{
    FOR_SIZES(n)
    check_one_lamb(bench, n);
}

/* Together with the direction, and more than a block of it. */
static void check_lamb_apply(struct bench *bench)
{
    check_one_lamb(bench, 300);
    check_one_lamb(bench, 9001);
}

/* ---- norms, clipping, the average */

static void check_sum_squares(struct bench *bench)
{
    static const int64_t more[] = {4095, 4096, 4097, 20000};
    static const double scales[] = {3, 1e30, 1e-25}; /* squares that are no floats */
    double *sum = bench->device->alloc(sizeof *sum);
    for (int k = 0; k < 6; k++)
        for (size_t s = 0; s < (k % 2 ? KD_COUNT(more) : KD_COUNT(sizes)); s++) {
            struct buffer x = buffer_random(bench, k % 2 ? more[s] : sizes[s], scales[k / 2]);
            double wanted = 0, got;
            for (int64_t i = 0; i < x.n; i++)
                wanted += (double)x.host[i] * (double)x.host[i];
            run(bench, KD_CALL(sum_squares, .x = x.device, .n = x.n, .sum = sum));
            bench_read(bench, &got, sum, sizeof got);
            assert_true(fabs(got - wanted) <= 1e-12 * wanted);
            buffer_free(bench, &x);
        }
    bench->device->free(sum);
}

static void check_clip(struct bench *bench)
{
    static const struct {
        double sum_squares;
        float clip, scale, norm;
    } cases[] = {{4, 0, 1, 2}, {4, 1, 0.5f, 2}, {4, 2, 1, 2}, {4, 3, 1, 2}, {0, 1, 1, 0}};
    for (size_t c = 0; c < KD_COUNT(cases); c++) {
        struct kd_hyper h = {.clip = cases[c].clip};
        float zeros[2] = {0}, got[2];
        void *on_hyper = to_device(bench, &h, sizeof h);
        void *on_sum = to_device(bench, &cases[c].sum_squares, sizeof(double));
        float *out = to_device(bench, zeros, sizeof zeros);
        run(bench,
            KD_CALL(clip, .sum_squares = on_sum, .scale = out, .norm = out + 1, .hyper = on_hyper));
        bench_read(bench, got, out, sizeof got);
        assert_true(got[0] == cases[c].scale && got[1] == cases[c].norm);
        bench->device->free(on_hyper), bench->device->free(on_sum), bench->device->free(out);
    }
}

static void check_loss_scales(struct bench *bench)
{
    static const struct {
        double sum_squares;
        float clip;
        struct kd_loss_scale before, after;
        float scale, norm;
    } cases[] = {
        {64, 0, {4, 7, 0}, {4, 8, 0}, 0.25f, 2},
        {64, 1, {4, 7, 3}, {4, 8, 3}, 0.125f, 2},
        {64, 0, {4, KD_LOSS_SCALE_STEPS - 1, 1}, {8, 0, 1}, 0.25f, 2},
        {0, 0, {0x1p100f, KD_LOSS_SCALE_STEPS - 1, 0}, {0x1p100f, 0, 0}, 0x1p-100f, 0},
        {INFINITY, 1, {4, 7, 3}, {2, 0, 4}, -1, INFINITY},
        {NAN, 0, {1, 7, 0}, {1, -1, 1}, -1, NAN},
        {64, 0, {1, -1, 1}, {1, 1, 1}, 1, 8},
    };
    for (size_t c = 0; c < KD_COUNT(cases); c++) {
        struct kd_hyper h = {.clip = cases[c].clip, .step = 9};
        float zeros[2] = {0}, got[2];
        struct kd_loss_scale loss;
        void *on_hyper = to_device(bench, &h, sizeof h);
        void *on_sum = to_device(bench, &cases[c].sum_squares, sizeof(double));
        void *on_loss = to_device(bench, &cases[c].before, sizeof loss);
        float *out = to_device(bench, zeros, sizeof zeros);
        run(bench, KD_CALL(unscale, .sum_squares = on_sum, .loss = on_loss, .scale = out,
                           .norm = out + 1, .hyper = on_hyper));
        bench_read(bench, got, out, sizeof got);
        bench_read(bench, &loss, on_loss, sizeof loss);
        assert_true(got[0] == cases[c].scale);
        assert_true(got[1] == cases[c].norm || (isnan(got[1]) && isnan(cases[c].norm)));
        assert_memory_equal(&loss, &cases[c].after, sizeof loss);
        bench_read(bench, &h, on_hyper, sizeof h);
        assert_int_equal(h.step, 9 - cases[c].before.n_left_out);
        bench->device->free(on_hyper), bench->device->free(on_sum);
        bench->device->free(on_loss), bench->device->free(out);
    }
}

/* ---- a step that is left out changes nothing */

static void run_all_left_out(struct bench *bench, struct arena *arena, double *norms)
{
    static const enum kd_op optimizers[] = {KD_OP_sgd, KD_OP_adamw, KD_OP_lion};
    for (size_t o = 0; o < KD_COUNT(optimizers); o++)
        run(bench, (struct kd_call){.op = optimizers[o],
                                    .args.sgd = {.parameters = arena->p.device,
                                                 .gradients = arena->g.device,
                                                 .state = {arena->m.device, arena->v.device},
                                                 .ranges = arena->ranges,
                                                 .n_ranges = 2,
                                                 .hyper = arena->hyper,
                                                 .scale = arena->scale}});
    run(bench, KD_CALL(lamb_direction, .parameters = arena->p.device, .gradients = arena->g.device,
                       .state = {arena->m.device, arena->v.device}, .norms = norms,
                       .ranges = arena->ranges, .n_ranges = 2, .hyper = arena->hyper,
                       .scale = arena->scale));
    run(bench, KD_CALL(lamb_apply, .parameters = arena->p.device, .direction = arena->g.device,
                       .norms = norms, .ranges = arena->ranges, .n_ranges = 2,
                       .hyper = arena->hyper, .scale = arena->scale));
    run(bench, KD_CALL(average, .x = arena->p.device, .average = arena->m.device, .n = arena->p.n,
                       .hyper = arena->hyper, .scale = arena->scale));
}

static void check_left_out(struct bench *bench)
{
    struct arena arena = arena_new(bench, 5000);
    const float left_out = -1;
    double *norms = bench->device->alloc(4 * sizeof *norms);
    struct buffer *buffers[] = {&arena.p, &arena.g, &arena.m, &arena.v};
    bench->device->copy_in(bench->queue, arena.scale, &left_out, sizeof left_out);
    run_all_left_out(bench, &arena, norms);
    for (size_t b = 0; b < KD_COUNT(buffers); b++) {
        struct buffer before = buffer_copy(buffers[b]);
        buffer_read(bench, buffers[b]);
        assert_memory_equal(buffers[b]->host, before.host, (size_t)before.n * sizeof(float));
        free(before.host);
    }
    bench->device->free(norms);
    arena_free(bench, &arena);
}

static void check_unscale(struct bench *bench)
{
    check_loss_scales(bench);
    check_left_out(bench);
}

static void check_average(struct bench *bench)
{
    FOR_SIZES(n)
    {
        struct arena arena = arena_new(bench, n);
        run(bench, KD_CALL(average, .x = arena.p.device, .average = arena.m.device, .n = n,
                           .hyper = arena.hyper));
        struct buffer after = buffer_again(&arena.m);
        buffer_read(bench, &after);
        for (int64_t i = 0; i < n; i++)
            assert_near(after.host[i],
                        0.75 * (double)arena.m.host[i] + 0.25 * (double)arena.p.host[i], 1e-6,
                        "average", i);
        free(after.host);
        arena_free(bench, &arena);
    }
}

/* Bit for bit what the format's rule says, ties and all; nothing between the ranges is touched. */
static void check_one_round(struct bench *bench, const struct kd_range *ranges, int n_ranges)
{
    int64_t n = 0, n_rounded = 0;
    for (int r = 0; r < n_ranges; r++)
        n += ranges[r].n, n_rounded += kd_rounded_size(&ranges[r]);
    struct buffer x = buffer_random(bench, n, 3), y = values_random(bench, n_rounded, 1);
    struct buffer want = buffer_copy(&y);
    for (int64_t i = 0; i < n; i++)
        x.host[i] = i % 3 ? x.host[i] : 1 + (float)(i % 8) * 0x1p-11f; /* half way, for some */
    buffer_write(bench, &x);
    const float *from = x.host;
    float *to = want.host;
    for (int r = 0; r < n_ranges; r++) {
        for (int64_t i = 0; i < ranges[r].n; i++)
            to[i] = stored_in(&y, from[i]);
        from += ranges[r].n, to += kd_rounded_size(&ranges[r]);
    }
    run(bench,
        KD_CALL(round, .x = x.device, .y = y.device, .ranges = ranges, .n_ranges = n_ranges));
    buffer_read(bench, &y);
    assert_memory_equal(y.host, want.host, (size_t)n_rounded * sizeof(float));
    free(want.host);
    buffer_free(bench, &x), buffer_free(bench, &y);
}

static void check_round(struct bench *bench)
{
    FOR_SIZES(n)
    {
        const struct kd_range ranges[] = {{.n = n}, {.n = 16}, {.n = 0}, {.n = 5}, {.n = n}};
        for (int n_ranges = 0; n_ranges <= 5; n_ranges++)
            check_one_round(bench, ranges, n_ranges);
    }
    check_one_round(bench, &(struct kd_range){.n = 9001}, 1); /* chunks */
}

#endif
