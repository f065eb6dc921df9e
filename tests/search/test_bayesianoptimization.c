/* The strategy bayesianoptimization: what it finds, how it keeps parallel points apart, what
 * failures and constraints teach it, which settings it takes. The process inside is held against
 * scikit-learn in test_gp.c. */
#include "tests/search/gp_fixture.h"

#include "coordinator/base/rng.h"
#include "search/gp/gp_surrogate.h"

static double valley(const double *point)
{
    double x = point[0] - 0.37, y = point[1] - 0.71;
    return 10 * x * x + 3 * y * y + 4 * x * y;
}

/* Random search comes to about 0.02 in 25 trials. */
static void a_smooth_valley_is_found_to_four_digits_in_25_trials(void **state)
{
    (void)state;
    struct kd_space space = {0};
    fill_two(&space);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct kd_history history;
        kd_history_init(&history, &space);
        struct kd_sampler *sampler = new_sampler(kd_strategy_find("gp"), &space, seed);
        for (int i = 0; i < 25; i++) {
            double point[2];
            assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
            finish_at(&history, point[0], point[1], KD_COMPLETE, valley(point));
        }
        assert_true(history.trials[kd_history_best(&history)].objective < 1e-4);
        kd_sampler_free(sampler);
        kd_history_release(&history);
    }
    kd_space_release(&space);
}

static void fill_history(struct kd_history *history, int n)
{
    struct kd_rng rng = kd_rng_at(5, 5);
    for (int i = 0; i < n; i++) {
        double point[] = {kd_rng_uniform(&rng), kd_rng_uniform(&rng)};
        finish_at(history, point[0], point[1], KD_COMPLETE, valley(point));
    }
}

static void check_apart(const double *points, int n)
{
    for (int a = 0; a < n; a++) {
        for (int b = 0; b < a; b++) {
            double x = fabs(points[2 * a] - points[2 * b]);
            double y = fabs(points[2 * a + 1] - points[2 * b + 1]);
            assert_true(x >= 0.01 || y >= 0.01);
        }
    }
}

/* Ten trials of the valley are known, then eight are asked for; with a constraint that half of the
 * square keeps. */
static void check_parallel(bool is_constrained)
{
    enum { N = 8 };
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_settings settings;
    struct kd_rng rng = kd_rng_at(5, 5);
    double points[2 * N];
    const struct kd_strategy *strategy = kd_strategy_find("gp");
    fill_two(&space);
    kd_history_init(&history, &space);
    history.n_constraints = is_constrained;
    for (int i = 0; i < 10; i++) {
        double point[] = {kd_rng_uniform(&rng), kd_rng_uniform(&rng)};
        double value = valley(point), constraint = point[0] - 0.5;
        kd_history_finish_measured(&history, kd_history_add(&history, point), KD_COMPLETE,
                                   (struct kd_measured){&value, &constraint});
    }
    struct kd_task task = {.space = &space, .n_objectives = 1, .n_constraints = is_constrained};
    kd_settings_init(&settings, strategy->settings);
    struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, 1, NULL);
    assert_int_equal(kd_sampler_ask(sampler, &history, N, points), N);
    check_apart(points, N);
    kd_sampler_free(sampler);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void points_that_run_at_the_same_time_keep_apart(void **state)
{
    (void)state;
    check_parallel(false);
    check_parallel(true);
}

/* The valley's floor fails: what is proposed after a while keeps out of it, mostly. */
static void where_trials_fail_few_are_proposed(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    int n_failed = 0;
    fill_two(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(kd_strategy_find("gp"), &space, 3);
    for (int i = 0; i < 50; i++) {
        double point[2], value;
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        value = valley(point);
        bool fails = value < 0.3;
        finish_at(&history, point[0], point[1], fails ? KD_INFEASIBLE : KD_COMPLETE, value);
        n_failed += i >= 25 && fails;
    }
    assert_true(n_failed <= 12);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

/* Feasible where x + y > 1.3, which excludes the unconstrained best; the constrained one is 0.2146
 * on the line. */
static void constraints_are_learned_and_kept(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    struct kd_settings settings;
    fill_two(&space);
    kd_history_init(&history, &space);
    history.n_constraints = 1;
    const struct kd_strategy *strategy = kd_strategy_find("gp");
    kd_settings_init(&settings, strategy->settings);
    struct kd_task task = {.space = &space, .n_objectives = 1, .n_constraints = 1};
    struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, 2, NULL);
    int n_feasible = 0;
    for (int i = 0; i < 40; i++) {
        double point[2], constraint, value;
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        value = valley(point), constraint = 1.3 - point[0] - point[1];
        int number = kd_history_add(&history, point);
        kd_history_finish_measured(&history, number, KD_COMPLETE,
                                   (struct kd_measured){&value, &constraint});
        n_feasible += i >= 20 && constraint <= 0;
    }
    const struct kd_observation *best = &history.trials[kd_history_best(&history)];
    assert_true(best->violation == 0);
    double least = INFINITY;
    for (double x = 0.3; x < 1; x += 1e-4) {
        double point[] = {x, 1.3 - x};
        least = fmin(least, valley(point));
    }
    assert_true(best->objective < least + 0.01);
    assert_true(n_feasible >= 8);
    kd_sampler_free(sampler);
    kd_settings_release(&settings);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void an_earlier_experiment_stands_for_the_random_start(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    fill_two(&space);
    kd_history_init(&history, &space);
    struct kd_rng rng = kd_rng_at(8, 8);
    for (int i = 0; i < 20; i++) {
        double point[] = {kd_rng_uniform(&rng), kd_rng_uniform(&rng)};
        kd_history_add_prior(&history, point, KD_COMPLETE, valley(point));
    }
    struct kd_sampler *sampler = new_sampler(kd_strategy_find("gp"), &space, 1);
    double point[2];
    assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
    assert_true(valley(point) < 0.05);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void a_long_history_is_thinned_and_asked(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    fill_two(&space);
    kd_history_init(&history, &space);
    fill_history(&history, KD_GP_TRIALS + 50);
    struct kd_sampler *sampler = new_sampler(kd_strategy_find("gp"), &space, 1);
    double points[2 * 8], best = INFINITY;
    assert_int_equal(kd_sampler_ask(sampler, &history, 8, points), 8);
    for (int i = 0; i < 8; i++)
        best = fmin(best, valley(&points[2 * i]));
    assert_true(best < 0.01);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

static void skopts_settings_are_mapped_or_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *text;
    } cases[] = {
        {"base_estimator", "GP", NULL},   {"base_estimator", "RF", "RF"},
        {"base_estimator", "ET", "ET"},   {"base_estimator", "GBRT", "GBRT"},
        {"acq_func", "gp_hedge", NULL},   {"acq_func", "EI", NULL},
        {"acq_func", "LCB", NULL},        {"acq_func", "PI", NULL},
        {"acq_func", "EIps", "EIps"},     {"acq_func", "PIps", "PIps"},
        {"acq_optimizer", "auto", NULL},  {"acq_optimizer", "sampling", NULL},
        {"acq_optimizer", "lbfgs", NULL}, {"n_initial_points", "3", NULL},
        {"random_state", "5", NULL},
    };
    struct kd_space space = {0};
    const struct kd_strategy *strategy = kd_strategy_find("bayesianoptimization");
    fill_two(&space);
    struct kd_task task = task_of(&space);
    for (size_t i = 0; i < KD_COUNT(cases); i++) {
        struct kd_settings settings;
        struct kd_history history;
        struct kd_error err;
        double point[2];
        kd_settings_init(&settings, strategy->settings);
        kd_history_init(&history, &space);
        fill_history(&history, 12);
        assert_int_equal(kd_settings_set(&settings, cases[i].name, cases[i].value, &err), 0);
        struct kd_sampler *sampler = kd_sampler_new(strategy, &task, &settings, 1, &err);
        assert_true((sampler == NULL) == (cases[i].text != NULL));
        if (cases[i].text)
            assert_non_null(strstr(err.text, cases[i].text));
        else
            assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        kd_sampler_free(sampler);
        kd_settings_release(&settings);
        kd_history_release(&history);
    }
    kd_space_release(&space);
}

/* The bits of a run, so that a change that moves them is noticed; also between compilers and levels
 * of optimisation. If a change was meant to, store the new value: studies under way then go on with
 * other points. */
static void forty_points_have_the_stored_bits(void **state)
{
    (void)state;
    struct kd_space space = {0};
    struct kd_history history;
    uint64_t hash = 0;
    fill_mixed(&space);
    kd_history_init(&history, &space);
    struct kd_sampler *sampler = new_sampler(kd_strategy_find("gp"), &space, 1);
    for (int i = 0; i < 40; i++) {
        double point[10];
        assert_int_equal(kd_sampler_ask(sampler, &history, 1, point), 1);
        hash = kd_hash2(hash, kd_hash_bytes(point, sizeof point));
        int number = kd_history_add(&history, point);
        if (i % 6 != 5) /* every sixth keeps running */
            kd_history_finish(&history, number, i % 9 == 8 ? KD_INFEASIBLE : KD_COMPLETE,
                              bowl(&space, point));
    }
    if (hash != UINT64_C(0xb2995d3d10ae3829))
        fail_msg("hash 0x%016llx", (unsigned long long)hash);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    kd_space_release(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_smooth_valley_is_found_to_four_digits_in_25_trials),
        cmocka_unit_test(points_that_run_at_the_same_time_keep_apart),
        cmocka_unit_test(where_trials_fail_few_are_proposed),
        cmocka_unit_test(constraints_are_learned_and_kept),
        cmocka_unit_test(an_earlier_experiment_stands_for_the_random_start),
        cmocka_unit_test(a_long_history_is_thinned_and_asked),
        cmocka_unit_test(skopts_settings_are_mapped_or_refused_by_name),
        cmocka_unit_test(forty_points_have_the_stored_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
