#include "tests/trainer/fixture.h"

#include "trainer/optim/optimizer.h"
#include "trainer/optim/schedule.h"

static const struct shape_of_plan shape = {.n_features = 7, .n_targets = 3, .max_batch = 4};
static const char model[] = "[{'linear': {'units': 3}}]"; /* weight 0 .. 20, bias 21 .. 23 */

static const struct kd_optimizer *read_optimizer(const char *text, struct kd_hyper *hyper)
{
    const struct kd_optimizer *optimizer = NULL;
    struct kd_error err = {0};
    json_t *block = json_of(text);
    if (kd_optimizer_read(block, &optimizer, hyper, &err) != 0)
        fail_msg("%s", err.text);
    json_decref(block);
    return optimizer;
}

/* Sutskever, Martens, Dahl, Hinton (2013) in the form that PyTorch uses: v = mu v + g, p -= lr v. */
static double sgd_reference(double p, double g, double decay, int n_steps)
{
    double v = 0;
    for (int t = 1; t <= n_steps; t++) {
        v = 0.9 * v + g;
        p = p - 0.1 * decay * p - 0.1 * v;
    }
    return p;
}

/* Loshchilov, Hutter (2019), algorithm 2. */
static double adamw_reference(double p, double g, double decay, int n_steps)
{
    double m = 0, v = 0;
    for (int t = 1; t <= n_steps; t++) {
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        double m_hat = m / (1 - pow(0.9, t)), v_hat = v / (1 - pow(0.999, t));
        p = p - 0.1 * decay * p - 0.1 * m_hat / (sqrt(v_hat) + 1e-8);
    }
    return p;
}

static const struct {
    const char *name, *block;
    double (*reference)(double p, double g, double decay, int n_steps);
} cases[] = {
    {"sgd", "{'name': 'sgd', 'lr': 0.1, 'momentum': 0.9, 'weightDecay': 0.2}", sgd_reference},
    {"adamw", "{'name': 'adamw', 'lr': 0.1, 'weightDecay': 0.2}", adamw_reference},
};

static void check_optimizer(size_t c)
{
    enum { STEPS = 10 };
    struct kd_hyper hyper;
    const struct kd_optimizer *optimizer = read_optimizer(cases[c].block, &hyper);
    struct kd_plan *plan = plan_of(model, shape);
    int64_t n = kd_plan_n_parameters(plan);
    struct kd_rng rng = kd_rng_at(1, 2);
    for (int64_t i = 0; i < n; i++) {
        kd_plan_gradients(plan)[i] = (float)(kd_rng_uniform(&rng) - 0.5);
        kd_plan_parameters(plan)[i] = (float)(kd_rng_uniform(&rng) - 0.5);
    }
    float *before = copy_of(kd_plan_parameters(plan), n);
    assert_int_equal(hyper.step, 1);
    for (; hyper.step <= STEPS; hyper.step++)
        optimizer->step(plan, &hyper);
    for (int64_t i = 0; i < n; i++) {
        double want = cases[c].reference((double)before[i], (double)kd_plan_gradients(plan)[i],
                                         i < 21 ? 0.2 : 0.0, STEPS);
        double got = kd_plan_parameters(plan)[i];
        if (fabs(got - want) > 1e-5)
            fail_msg("%s: parameter %d is %.9g, the equations give %.9g", cases[c].name, (int)i,
                     got, want);
    }
    free(before);
    kd_plan_free(plan);
}

static void optimizers_follow_their_equations_and_leave_biases_undecayed(void **state)
{
    (void)state;
    for (size_t c = 0; c < KD_COUNT(cases); c++)
        check_optimizer(c);
}

static void every_optimizer_has_a_case_and_defaults(void **state)
{
    (void)state;
    for (int i = 0; kd_optimizers[i]; i++) {
        bool covered = false;
        for (size_t c = 0; c < KD_COUNT(cases); c++)
            covered |= strcmp(cases[c].name, kd_optimizers[i]->name) == 0;
        if (!covered)
            fail_msg("add a case for the optimizer %s", kd_optimizers[i]->name);
        struct kd_hyper hyper;
        char *text = kd_format("{'name': '%s'}", kd_optimizers[i]->name);
        assert_ptr_equal(read_optimizer(text, &hyper), kd_optimizers[i]);
        assert_true(hyper.lr > 0);
        free(text);
    }
}

static void optimizer_errors_point_at_the_field(void **state)
{
    (void)state;
    static const char *const errors[][2] = {
        {"{'name': 'adam'}",
         "/optimizer/name: unknown optimizer \"adam\"; did you mean \"adamw\"? There are: sgd, "
         "adamw"},
        {"{'lr': 1}", "/optimizer: must be a mapping with a name, such as {name: sgd, lr: 0.1}"},
        {"{'name': 'sgd', 'lr': -1}", "/optimizer/lr: -1 is below the least, 0"},
        {"{'name': 'sgd', 'lr': 'x'}", "/optimizer/lr: \"x\" is not a number"},
        {"{'name': 'sgd', 'momentum': 1}",
         "/optimizer/momentum: 1 is above the most, 1 (which is excluded itself)"},
        {"{'name': 'sgd', 'weight_decay': 1}",
         "/optimizer: unknown field \"weight_decay\"; did you mean \"weightDecay\"? There are: lr, "
         "momentum, weightDecay"},
    };
    for (size_t i = 0; i < KD_COUNT(errors); i++) {
        const struct kd_optimizer *optimizer;
        struct kd_hyper hyper;
        struct kd_error err = {0};
        json_t *block = json_of(errors[i][0]);
        assert_int_equal(kd_optimizer_read(block, &optimizer, &hyper, &err), -1);
        assert_string_equal(err.text, errors[i][1]);
        json_decref(block);
    }
}

static struct kd_schedule *read_schedule(const char *text)
{
    struct kd_error err = {0};
    json_t *block = text ? json_of(text) : NULL;
    struct kd_schedule *schedule = kd_schedule_read(block, &err);
    if (!schedule)
        fail_msg("%s", err.text);
    json_decref(block);
    return schedule;
}

static void schedules_take_their_values(void **state)
{
    (void)state;
    static const struct {
        const char *block;
        int64_t step, total;
        double want;
    } points[] = {
        {NULL, 0, 10, 1},
        {"null", 9, 10, 1},
        {"{'name': 'constant'}", 5, 10, 1},
        {"{'name': 'constant', 'warmup': 0.4}", 0, 10, 0.2},
        {"{'name': 'constant', 'warmup': 0.4}", 3, 10, 0.8},
        {"{'name': 'constant', 'warmup': 0.4}", 4, 10, 1},
        {"{'name': 'constant', 'warmup': 1}", 9, 10, 10.0 / 11},
        {"{'name': 'step'}", 3, 10, 1},
        {"{'name': 'step'}", 4, 10, 0.1},
        {"{'name': 'step'}", 9, 10, 0.01},
        {"{'name': 'step', 'drops': 1, 'factor': 0.5}", 5, 10, 0.5},
        {"{'name': 'step', 'drops': 1, 'factor': 0.5, 'warmup': 0.5}", 7, 10, 1},
        {"{'name': 'cosine'}", 0, 10, 1},
        {"{'name': 'cosine'}", 5, 10, 0.5},
        {"{'name': 'cosine'}", 10, 10, 0},
        {"{'name': 'cosine'}", 99, 10, 0},
        {"{'name': 'cosine', 'floor': 0.2}", 10, 10, 0.2},
        {"{'name': 'cosine', 'warmup': 0.5}", 5, 10, 1},
        {"{'name': 'cosine', 'warmup': 0.1}", 0, 0, 1},
    };
    for (size_t i = 0; i < KD_COUNT(points); i++) {
        struct kd_schedule *schedule = read_schedule(points[i].block);
        double got = kd_schedule_factor(schedule, points[i].step, points[i].total);
        if (fabs(got - points[i].want) > 1e-12)
            fail_msg("%s at %d of %d is %g, should be %g", points[i].block, (int)points[i].step,
                     (int)points[i].total, got, points[i].want);
        kd_schedule_free(schedule);
    }
}

static void every_schedule_stays_between_nothing_and_the_base_rate(void **state)
{
    (void)state;
    for (int i = 0; kd_schedule_kinds[i]; i++) {
        char *text = kd_format("{'name': '%s', 'warmup': 0.07}", kd_schedule_kinds[i]->name);
        struct kd_schedule *schedule = read_schedule(text);
        for (int64_t step = 0; step < 100; step++) {
            double factor = kd_schedule_factor(schedule, step, 100);
            assert_true(factor > 0 && factor <= 1);
        }
        free(text);
        kd_schedule_free(schedule);
    }
}

static void schedule_errors_point_at_the_field(void **state)
{
    (void)state;
    static const char *const errors[][2] = {
        {"{'name': 'cosin'}", "/schedule/name: unknown schedule \"cosin\"; did you mean "
                              "\"cosine\"? There are: constant, step, cosine"},
        {"'cosine'",
         "/schedule: must be a mapping with a name, such as {name: cosine, warmup: 0.1}"},
        {"{'name': 'cosine', 'warmup': 1.5}", "/schedule/warmup: 1.5 is above the most, 1"},
        {"{'name': 'step', 'drops': 1.5}", "/schedule/drops: 1.5 is not a whole number"},
    };
    for (size_t i = 0; i < KD_COUNT(errors); i++) {
        struct kd_error err = {0};
        json_t *block = json_of(errors[i][0]);
        assert_null(kd_schedule_read(block, &err));
        assert_string_equal(err.text, errors[i][1]);
        json_decref(block);
    }
}

static void both_registries_are_described(void **state)
{
    (void)state;
    struct kd_str text = {0};
    struct kd_json json = kd_json_to(&text);
    kd_optim_describe(&json);
    json_t *described = json_loads(kd_str_text(&text), 0, NULL);
    json_t *optimizers = json_object_get(described, "optimizers");
    json_t *schedules = json_object_get(described, "schedules");
    assert_int_equal(json_array_size(optimizers), 2);
    assert_int_equal(json_array_size(schedules), 3);
    json_t *cosine = json_object_get(json_array_get(schedules, 2), "fields");
    json_t *warmup = json_array_get(cosine, json_array_size(cosine) - 1);
    assert_string_equal(json_string_value(json_object_get(warmup, "name")), "warmup");
    json_decref(described);
    kd_str_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers_follow_their_equations_and_leave_biases_undecayed),
        cmocka_unit_test(every_optimizer_has_a_case_and_defaults),
        cmocka_unit_test(optimizer_errors_point_at_the_field),
        cmocka_unit_test(schedules_take_their_values),
        cmocka_unit_test(every_schedule_stays_between_nothing_and_the_base_rate),
        cmocka_unit_test(schedule_errors_point_at_the_field),
        cmocka_unit_test(both_registries_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
